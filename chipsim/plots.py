"""Plots on matplotlib axes, in the forms that papers use. Needs the extra ``plots``.

Each function draws on the axes that it is given (or on new ones) and returns them, so that a figure
is composed, labelled and saved with matplotlib's own means. What is drawn comes from the questions
of :mod:`chipsim.analysis`; nothing is smoothed or binned.

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

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis.groups import as_text, codes_of
from chipsim.errors import ChipsimError, TraceError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.analysis.run import Run

STYLES = ("-", "--", "-.", ":")
"""Lines differ in dashes too, so that they are told apart without colour."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which are told apart with any colour vision."""


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
    ax = _axes(ax)
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
            **_line(place),
        )
    ax.set(xscale="log", xlabel="latency [ns]", ylabel="share of copies", ylim=(0, 1.02))
    if len(rows):
        ax.legend(title=by)
    return ax


def channel_load(run: Run, ax: Axes | None = None, chip: int = 0) -> Axes:
    """Draw the load of channels between tiles on the floor plan, and of those of each tile.

    Parameters
    ----------
    run : Run
        With channels traced.
    ax : matplotlib.axes.Axes, optional
    chip : int
        Of a board.

    Returns
    -------
    matplotlib.axes.Axes
        Tiles are squares in the colour of the busiest of the channels that stay on them (to and
        from their PEs); arrows join tiles, in colour and width of their busy share [%].

    Raises
    ------
    TraceError
        If no channels were traced.

    Examples
    --------
    ::

        ax = plots.channel_load(run)
        ax.set_title("exchange")
    """
    ax = _axes(ax)
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import FancyArrowPatch, Rectangle

    between, within = _tile_loads(run, chip)
    largest = max([*between.values(), *within.values()], default=1.0)
    scale = Normalize(0, largest or 1.0)
    shades = colormaps["cividis_r"]
    for tile in _tiles(run, chip):
        face = shades(scale(within.get(tile, 0.0)))
        corner = (tile[0] - 0.25, tile[1] - 0.25)
        ax.add_patch(Rectangle(corner, 0.5, 0.5, facecolor=face, edgecolor="0.5", linewidth=0.5))
    for (start, end), share in between.items():
        ax.add_patch(
            FancyArrowPatch(
                *_beside(start, end),
                arrowstyle="-|>",
                mutation_scale=6,
                linewidth=0.5 + 2 * share / (largest or 1.0),
                color=shades(scale(share)),
            )
        )
    machine = run.machine
    ax.set(xlim=(-0.6, machine.grid_width - 0.4), ylim=(-0.6, machine.grid_height - 0.4))
    ax.set(aspect="equal", xlabel="x", ylabel="y")
    ax.figure.colorbar(ScalarMappable(scale, shades), ax=ax, label="busy [%]")
    return ax


def tick_timeline(
    run: Run, start_ms: float = 0.0, end_ms: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw when each PE computed: a row a PE, a bar a handler, in the colour of its phase.

    Parameters
    ----------
    run : Run
        With ticks traced.
    start_ms, end_ms : float
        Chip time that is shown [ms]; to the end, if no end is given.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Chip time [ms] against PEs; overruns have a red edge.

    Raises
    ------
    TraceError
        If no ticks were traced, or the end is not after the start.

    Examples
    --------
    ::

        plots.tick_timeline(run, 50, 60)      # the end of the first batch
    """
    if end_ms is not None and end_ms <= start_ms:
        raise TraceError(f"got the time from {start_ms} to {end_ms} ms, expected an end after it")
    rows = run.ticks
    done, start = rows["done_ps"].to_numpy() / 1e9, rows["start_ps"].to_numpy() / 1e9
    inside = (done >= start_ms) & (start < (np.inf if end_ms is None else end_ms))
    pes = sorted(set(rows["pe"].to_pylist()))
    row_of = {pe: row for row, pe in enumerate(pes)}
    height = np.array([row_of[pe] for pe in rows["pe"].to_pylist()])
    phases, names = codes_of(rows["phase"]), as_text(rows["phase"]).to_pylist()
    over = rows["overrun"].to_numpy()
    ax = _axes(ax)
    for place, code in enumerate(np.unique(phases[inside]).tolist()):
        here = np.flatnonzero(inside & (phases == code))
        ax.barh(
            height[here],
            (done - start)[here],
            left=start[here],
            height=0.8,
            color=COLOURS[place % len(COLOURS)],
            edgecolor=np.where(over[here], "#FF0000", "none").tolist(),
            label=names[here[0]],
        )
    ax.set_yticks(range(len(pes)), [run.machine.endpoint_label(pe) for pe in pes], fontsize=6)
    ax.set(xlabel="chip time [ms]", xlim=(start_ms, end_ms))
    if inside.any():
        ax.legend(title="phase")
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
    ax = _axes(ax)
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
        ax.plot(x, y, label=label, marker="o", markersize=3, **_line(place))
    ax.set(xlabel=rate.replace("_", " "), ylabel=latency.replace("_", " "))
    ax.set_ylim(bottom=0)
    if curves:
        ax.legend()
    return ax


Tile = tuple[int, int]


def _tile_loads(run: Run, chip: int) -> tuple[dict[tuple[Tile, Tile], float], dict[Tile, float]]:
    """Return busy shares [%] of channels between tiles, and the largest of those on each tile."""
    machine = run.machine
    table = run.hottest_channels()
    between: dict[tuple[Tile, Tile], float] = {}
    within: dict[Tile, float] = {}
    sinks = {int(port): e for e, port in enumerate(machine.endpoint_sink.tolist())}
    for channel, share in zip(
        table["channel"].to_pylist(), table["busy_share"].to_pylist(), strict=True
    ):
        node, port = int(machine.channel_node[channel]), int(machine.channel_port[channel])
        far = int(machine.port_node[port])
        if int(machine.node_chip[node]) != chip:
            continue
        start = (int(machine.node_x[node]), int(machine.node_y[node]))
        if far >= 0:
            if int(machine.node_chip[far]) != chip:
                continue
            end = (int(machine.node_x[far]), int(machine.node_y[far]))
        else:
            sink = sinks[port]
            end = (int(machine.endpoint_x[sink]), int(machine.endpoint_y[sink]))
        if start == end:
            within[start] = max(within.get(start, 0.0), 100 * share)
        else:
            between[start, end] = max(between.get((start, end), 0.0), 100 * share)
    return between, within


def _tiles(run: Run, chip: int) -> list[Tile]:
    machine = run.machine
    places = zip(
        machine.node_chip.tolist(), machine.node_x.tolist(), machine.node_y.tolist(), strict=True
    )
    return sorted({(x, y) for on, x, y in places if on == chip and x >= 0})


def _beside(start: Tile, end: Tile) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return an arrow's ends, moved to the right of its direction: the way back has its own."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(dx, dy))
    aside = (0.08 * dy / length, -0.08 * dx / length)
    gap = (0.22 * dx / length, 0.22 * dy / length)
    first = (start[0] + aside[0] + gap[0], start[1] + aside[1] + gap[1])
    return first, (end[0] + aside[0] - gap[0], end[1] + aside[1] - gap[1])


def _line(place: int) -> dict[str, Any]:
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": STYLES[place % len(STYLES)]}


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ChipsimError(
            "chipsim.plots needs matplotlib: pip install 'chipsim[plots]'"
        ) from error
    _, made = plt.subplots(layout="constrained")
    return made
