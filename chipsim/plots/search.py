"""What a search of settings found: its history, and the value against each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chipsim.errors import ChipsimError
from chipsim.plots.style import COLOURS, MARKERS, axes_or_new, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOG_FROM = 10
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
_WHOLE_DECADES_FROM = 100
"""Ratio below which a logarithmic axis has numbers at 1, 2 and 5 of a decade too."""
_COLUMNS = 3


def search_history(trials: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """Draw the accuracy of each trial that was trained to its end, and the best one so far.

    Parameters
    ----------
    trials : sequence of mappings
        Rows of ``chipsim search --json``: ``trial``, ``state`` and ``value`` are read.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Number of the trial against validation accuracy [%]; ticks at the bottom are trials that
        were given up or failed.

    Raises
    ------
    ChipsimError
        If a row lacks a field.

    Examples
    --------
    ::

        plots.search_history(json.loads(printed)["trials"])
    """
    done = _done(trials, ["trial", "state", "value"])
    ax = axes_or_new(ax)
    best: list[float] = []
    for row in done:
        best.append(max([100 * row["value"], *best[-1:]]))
    numbers = [row["trial"] for row in done]
    ax.plot(numbers, [100 * row["value"] for row in done], linestyle="none", marker=MARKERS[0],
            markerfacecolor="none", color=COLOURS[0], label="trial")  # fmt: skip
    ax.step(numbers, best, where="post", label="best so far", **line_style(1))
    others = [row["trial"] for row in trials if row["state"] != "complete"]
    if others:
        ax.plot(others, [0.02] * len(others), linestyle="none", marker="|", color=COLOURS[-1],
                transform=ax.get_xaxis_transform(), label="given up, failed")  # fmt: skip
    ax.set(xlabel="trial", ylabel="validation accuracy [%]")
    if trials:
        ax.legend()
    return ax


def search_setting(trials: Sequence[Mapping[str, Any]], name: str, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of the finished trials against one searched setting.

    Parameters
    ----------
    trials : sequence of mappings
        Rows of ``chipsim search --json``.
    name : str
        The setting, as ``optimizer.lr``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        The setting (logarithmic if it spans a factor of 10) against validation accuracy [%]; the
        best trial is filled.

    Raises
    ------
    ChipsimError
        If a row lacks a field.

    Examples
    --------
    ::

        plots.search_setting(json.loads(printed)["trials"], "optimizer.lr")
    """
    done = _done(trials, ["trial", "state", "value", name])
    ax = axes_or_new(ax)
    first = max(done, key=lambda row: (row["value"], -row["trial"]), default=None)
    for row in done:
        face = COLOURS[0] if row is first else "none"
        ax.plot([row[name]], [100 * row["value"]], marker=MARKERS[0], color=COLOURS[0],
                markerfacecolor=face, linestyle="none")  # fmt: skip
    values = [row[name] for row in done]
    _few_ticks(ax, min(values, default=0), max(values, default=0))
    ax.set(xlabel=name, ylabel="validation accuracy [%]")
    return ax


def _few_ticks(ax: Axes, low: float, high: float) -> None:
    """Choose the setting's scale, with so few numbers that they do not meet in a small panel."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

    if not 0 < low * _LOG_FROM <= high:
        ax.xaxis.set_major_locator(MaxNLocator(5))
        return
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    if high / low < _WHOLE_DECADES_FROM:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def search_figure(result: Mapping[str, Any]) -> Figure:
    """Return a figure of a whole search: its history, and a panel for each searched setting.

    Parameters
    ----------
    result : mapping
        What ``chipsim search --json`` prints: ``trials`` and ``params``.

    Raises
    ------
    ChipsimError
        If matplotlib is missing, or a row lacks a field.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ChipsimError(
            "chipsim.plots needs matplotlib: pip install 'chipsim[plots]'"
        ) from error
    names = list(result["params"])
    columns = min(_COLUMNS, 1 + len(names))
    rows = -(-(1 + len(names)) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4 * columns, 3 * rows), layout="constrained", squeeze=False
    )
    panels = list(axes.flat)
    search_history(result["trials"], panels[0])
    for name, panel in zip(names, panels[1:], strict=False):
        search_setting(result["trials"], name, panel)
    for panel in panels[1 + len(names) :]:
        panel.remove()
    return figure


def _done(trials: Sequence[Mapping[str, Any]], wanted: list[str]) -> list[Mapping[str, Any]]:
    for number, row in enumerate(trials):
        missing = [name for name in wanted if name not in row]
        if missing:
            raise ChipsimError(
                f"search: trial {number} has no {' and no '.join(missing)}; it has {', '.join(row)}"
            )
    return [row for row in trials if row["state"] == "complete"]
