"""The chip from above: loads of channels, use of PEs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chipsim.plots.style import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.analysis.run import Run


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
    ax = axes_or_new(ax)
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


def pe_heat(run: Run, ax: Axes | None = None, chip: int = 0) -> Axes:
    """Draw the use of PEs as a heat map of the floor plan; a tile shows its busiest PE.

    Parameters
    ----------
    run : Run
        With ticks traced.
    ax : matplotlib.axes.Axes, optional
    chip : int
        Of a board.

    Returns
    -------
    matplotlib.axes.Axes
        Use [%] of the run's chip time by colour and number; tiles where nothing ran are blank.

    Raises
    ------
    TraceError
        If no ticks were traced.

    Examples
    --------
    ::

        plots.pe_heat(run)
    """
    machine, table = run.machine, run.pe_use()
    use = np.full((machine.grid_height, machine.grid_width), np.nan)
    for pe, share in zip(table["pe"].to_pylist(), table["use"].to_pylist(), strict=True):
        if int(machine.endpoint_chip[pe]) == chip:
            x, y = int(machine.endpoint_x[pe]), int(machine.endpoint_y[pe])
            use[y, x] = np.nanmax([use[y, x], 100 * share])
    ax = axes_or_new(ax)
    image = ax.imshow(use, origin="lower", cmap="cividis_r", vmin=0)
    middle = np.nanmax(use) / 2 if np.isfinite(use).any() else 0.0
    for y, x in np.argwhere(np.isfinite(use)).tolist():
        colour = "white" if use[y, x] > middle else "black"
        ax.text(x, y, f"{use[y, x]:.2g}", ha="center", va="center", color=colour, fontsize=8)
    ax.set(xlabel="x", ylabel="y")
    ax.figure.colorbar(image, ax=ax, label="use of the busiest PE [%]")
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
