"""Latencies: distribution, against hops, against load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis.groups import as_text, codes_of
from chipsim.errors import ChipsimError
from chipsim.plots.style import MARKERS, axes_or_new, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.analysis.run import Run


def latency_cdf(run: Run, by: str = "kind", ax: Axes | None = None) -> Axes:
    """Draw which share of the delivered copies took at most a latency; one step line a group.

    Parameters
    ----------
    run : Run
        With packets traced.
    by : {"kind", "phase", "hops", "net", "batch", "source", "destination"}
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Latency [ns], logarithmic, against the share of copies.

    Raises
    ------
    TraceError
        If there is no such column, or no packets were traced.

    Examples
    --------
    ::

        plots.latency_cdf(run, by="phase")
    """
    rows = run.read("packets", list(dict.fromkeys([by, "injected_ps", "ended_ps", "outcome"])))
    rows = rows.filter(pc.equal(rows["outcome"].cast(pa.string()), "delivered"))
    taken = (rows["ended_ps"].to_numpy() - rows["injected_ps"].to_numpy()) / 1000
    codes = codes_of(rows[by])
    names = as_text(rows[by]).to_pylist()
    ax = axes_or_new(ax)
    for place, code in enumerate(np.unique(codes).tolist()):
        here = np.flatnonzero(codes == code)
        values, counts = np.unique(taken[here], return_counts=True)
        share = np.cumsum(counts) / len(here)
        # From 0 upwards at the smallest latency; a single value is a step all the same.
        ax.step(
            np.concatenate([values[:1], values]),
            np.concatenate([[0.0], share]),
            where="post",
            label=str(names[here[0]]),
            **line_style(place),
        )
    ax.set(xscale="log", xlabel="latency [ns]", ylabel="share of copies", ylim=(0, 1.02))
    if len(rows):
        ax.legend(title=by)
    return ax


def latency_hops(run: Run, ax: Axes | None = None) -> Axes:
    """Draw latency against routers visited: the median, with a line from the smallest to 99 %.

    Parameters
    ----------
    run : Run
        With packets traced.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Routers visited against latency [ns], logarithmic; a series a kind.

    Raises
    ------
    TraceError
        If no packets were traced.

    Examples
    --------
    ::

        plots.latency_hops(run)
    """
    rows = run.latency(("kind", "hops")).to_pylist()
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    ax = axes_or_new(ax)
    for place, kind in enumerate(kinds):
        mine = [row for row in rows if row["kind"] == kind]
        middle = np.array([row["median_ps"] for row in mine]) / 1000
        low = middle - np.array([row["min_ps"] for row in mine]) / 1000
        high = np.array([row["p99_ps"] for row in mine]) / 1000 - middle
        # Beside each other, so that kinds with equal hops do not hide one another.
        aside = 0.12 * (place - (len(kinds) - 1) / 2)
        ax.errorbar(
            np.array([row["hops"] for row in mine]) + aside,
            middle,
            yerr=np.stack([low, high]),
            label=kind,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4,
            elinewidth=1,
            **line_style(place),
        )
    ax.set(yscale="log", xlabel="routers visited", ylabel="latency [ns]")
    if kinds:
        ax.legend(title="kind")
    return ax


def latency_load(
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    rate: str = "offered_rate",
    latency: str = "mean_latency_cycles",
    ax: Axes | None = None,
) -> Axes:
    """Draw mean latency against offered load, a line a network.

    Parameters
    ----------
    curves : mapping of str to sequence of mappings
        For each label the points of a sweep: what ``chipsim traffic --sweep-rate … --json``
        prints, or any rows with the two fields.
    rate, latency : str
        The fields.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ChipsimError
        If a point has no such field.

    Notes
    -----
    A point whose latency is None (nothing was measured) leaves a gap. Points beyond saturation
    are drawn as they are, though their latency grows with the measurement's length.

    Examples
    --------
    ::

        points = json.loads(Path("mesh.json").read_text())
        plots.latency_load({"8x8 mesh": points})
    """
    ax = axes_or_new(ax)
    for place, (label, points) in enumerate(curves.items()):
        for number, point in enumerate(points):
            missing = [name for name in (rate, latency) if name not in point]
            if missing:
                raise ChipsimError(
                    f"latency_load: point {number} of {label!r} has no {' and no '.join(missing)}; "
                    f"it has {', '.join(point)}; name the fields by rate= and latency="
                )
        x = [point[rate] for point in points]
        y = [np.nan if point[latency] is None else point[latency] for point in points]
        ax.plot(x, y, label=label, marker="o", markersize=3, **line_style(place))
    ax.set(xlabel=rate.replace("_", " "), ylabel=latency.replace("_", " "))
    ax.set_ylim(bottom=0)
    if curves:
        ax.legend()
    return ax
