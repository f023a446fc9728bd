"""What it costs: energy, power, and trade-offs between two costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.analysis.report.facts import energy
from chipsim.errors import ChipsimError, TraceError
from chipsim.plots.style import COLOURS, HATCHES, axes_or_new, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.analysis.run import Run


def energy_bars(runs: Mapping[str, Run], ax: Axes | None = None) -> Axes:
    """Draw the energy of some runs as stacked bars, a part of the chip a colour and hatching.

    Parameters
    ----------
    runs : mapping of str to Run
        By label; finished ones.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Energy [mJ]; a part that rests on assumed figures has a ``*`` in the legend.

    Raises
    ------
    TraceError
        If a run's summary holds no energies.

    Examples
    --------
    ::

        plots.energy_bars({"10 cycles a hop": slow, "5": fast})
    """
    return _stacked(runs, "energy [mJ]", lambda found, value: value, ax)


def power(run: Run, ax: Axes | None = None) -> Axes:
    """Draw the power of each part of the chip over time, in the windows of the trace.

    Parameters
    ----------
    run : Run
        With channels and ticks traced, on a machine with energy figures.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Chip time [ms] against power [mW], logarithmic; a step line a part.

    Raises
    ------
    TraceError
        If no channels and ticks were traced.
    UnknownFigureError
        If the machine has no energy figures.

    Examples
    --------
    ::

        plots.power(run)
    """
    rows = run.power().to_pylist()
    ax = axes_or_new(ax)
    for place, part in enumerate(dict.fromkeys(row["part"] for row in rows)):
        mine = [row for row in rows if row["part"] == part]
        times = [row["window_start_ps"] / 1e9 for row in mine] + [mine[-1]["window_end_ps"] / 1e9]
        values = [row["power_mw"] for row in mine]
        label = part.replace("_", " ")
        ax.step(times, [*values, values[-1]], where="post", label=label, **line_style(place))
    ax.set(xlabel="chip time [ms]", ylabel="power [mW]", yscale="log")
    if rows:
        ax.legend()
    return ax


def mean_power(runs: Mapping[str, Run], ax: Axes | None = None) -> Axes:
    """Draw the mean power of some runs over their chip time as stacked bars [mW].

    Parameters
    ----------
    runs : mapping of str to Run
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Energy of each part over simulated time.

    Raises
    ------
    TraceError
        If a run's summary holds no energies.

    Examples
    --------
    ::

        plots.mean_power({"yinyang": run})
    """
    return _stacked(
        runs, "mean power [mW]", lambda found, value: found["mean_mw"] * value / found["total"], ax
    )


def pareto(
    points: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw points by two costs, and the front of those that no other one beats in both.

    Parameters
    ----------
    points : sequence of mappings
        Rows with the two fields: trials of a search, mappings, runs' summaries. Smaller is better
        in both; negate what is to be large.
    x, y : str
        The fields.
    label : str, optional
        A field whose text is written beside the points of the front.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        All points; filled ones, joined by a step line, are the front.

    Raises
    ------
    ChipsimError
        If a point lacks a field.

    Notes
    -----
    O(n log n). Of equal points the first is on the front.

    Examples
    --------
    ::

        plots.pareto(rows, "energy_mj", "error", label="placer")
    """
    wanted = [x, y] if label is None else [x, y, label]
    for number, point in enumerate(points):
        missing = [name for name in wanted if name not in point]
        if missing:
            raise ChipsimError(
                f"pareto: point {number} has no {' and no '.join(missing)}; it has "
                f"{', '.join(point)}"
            )
    front: list[int] = []
    for number in sorted(range(len(points)), key=lambda n: (points[n][x], points[n][y], n)):
        if not front or points[number][y] < points[front[-1]][y]:
            front.append(number)
    ax = axes_or_new(ax)
    others = [n for n in range(len(points)) if n not in set(front)]
    for rows, name, face in ((others, "beaten", "none"), (front, "front", COLOURS[0])):
        ax.plot(
            [points[n][x] for n in rows],
            [points[n][y] for n in rows],
            linestyle="none",
            marker="o",
            color=COLOURS[0],
            markerfacecolor=face,
            label=name,
        )
    steps = [points[n][x] for n in front], [points[n][y] for n in front]
    ax.step(*steps, where="post", **line_style(0))
    if label is not None:
        for number in front:
            at = (points[number][x], points[number][y])
            ax.annotate(str(points[number][label]), at, xytext=(5, 4), textcoords="offset points")
    ax.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    if len(points):
        ax.legend()
    return ax


def _stacked(runs: Mapping[str, Run], title: str, of: Any, ax: Axes | None) -> Axes:
    found = {}
    for label, run in runs.items():
        found[label] = energy(run)
        if found[label] is None:
            raise TraceError(f"{run.path}: its summary holds no energies; finish the run")
    parts = list(dict.fromkeys(part for f in found.values() if f for part in f["parts"]))
    assumed = {part for f in found.values() if f for part in f["assumed"]}
    ax = axes_or_new(ax)
    base = np.zeros(len(found))
    for place, part in enumerate(parts):
        values = np.array([of(f, f["parts"].get(part, 0.0)) for f in found.values() if f])
        ax.bar(
            list(found),
            values,
            bottom=base,
            color=COLOURS[place % len(COLOURS)],
            hatch=HATCHES[place % len(HATCHES)],
            edgecolor="white",
            label=f"{part.replace('_', ' ')}{' *' if part in assumed else ''}",
        )
        base += values
    ax.set_ylabel(title)
    if parts:
        ax.legend(title="* rests on assumed figures" if assumed else None)
    return ax
