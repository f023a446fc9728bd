"""Plots on matplotlib axes, in the forms that papers use. Needs the extra ``plots``.

Each function draws on the axes that it is given (or on new ones) and returns them, so that a figure
is composed, labelled and saved with matplotlib's own means. What is drawn comes from the questions
of :mod:`chipsim.analysis`; nothing is smoothed or binned. docs/plots.md is a gallery.

Examples
--------
::

    import chipsim, matplotlib.pyplot as plt
    from chipsim import plots

    run = chipsim.open_run("short")
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    plots.latency_cdf(run, ax=left)
    plots.channel_load(run, ax=right)
    figure.savefig("short.pdf")
"""

from chipsim.plots.chip import channel_load, pe_heat
from chipsim.plots.cost import energy_bars, mean_power, pareto, power
from chipsim.plots.latency import latency_cdf, latency_hops, latency_load
from chipsim.plots.search import search_figure, search_history, search_setting
from chipsim.plots.style import COLOURS, STYLES
from chipsim.plots.time import learning_curve, raster, tick_timeline

__all__ = [
    "COLOURS",
    "STYLES",
    "channel_load",
    "energy_bars",
    "latency_cdf",
    "latency_hops",
    "latency_load",
    "learning_curve",
    "mean_power",
    "pareto",
    "pe_heat",
    "power",
    "raster",
    "search_figure",
    "search_history",
    "search_setting",
    "tick_timeline",
]
