"""A mapping as a picture: which tiles hold what, and how loaded the links between them are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.errors import ChipsimError
from chipsim.machine.spinnaker2 import floor_of
from chipsim.mapping.mapping import Mapping
from chipsim.mapping.metrics import link_load
from chipsim.plots.style import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMATS = (".png", ".pdf", ".svg")
_SIDE = 0.10
"""How far the two directions of a link stand apart, in tiles."""


def mapping_load(mapping: Mapping, ax: Axes | None = None) -> Axes:
    """Draw where an application lies on its machine, and the load of the links.

    Parameters
    ----------
    mapping : Mapping
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A square for each tile (each chip of a board, each router of a mesh): how many vertices it
        holds, grey by that; R for the tiles of a SpiNNaker2 chip's packet router. An arrow for each
        link in use: packets per tick, as in ``max_link_load``, in colour and width. Links round the
        edge of a torus are stubs at both sides.

    Examples
    --------
    ::

        plots.mapping_load(mapping).figure.savefig("mapping.png")
    """
    ax = axes_or_new(ax)
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import FancyArrowPatch, Rectangle

    held, spots, routers = _held(mapping), _spots(mapping), _router_tiles(mapping)
    most = max(held.values(), default=1)
    for spot in sorted(spots):
        count = held.get(spot, 0)
        face = str(1 - 0.3 * count / most)
        corner = (spot[0] - 0.3, spot[1] - 0.3)
        ax.add_patch(Rectangle(corner, 0.6, 0.6, facecolor=face, edgecolor="0.5", linewidth=0.5))
        text = "R" if spot in routers else str(count) if count else ""
        ax.text(*spot, text, ha="center", va="center", fontsize=7)
    load = _link_loads(mapping)
    scale = Normalize(0, max(load.values(), default=1.0))
    shades = colormaps["cividis_r"]
    for (start, end), packets in sorted(load.items(), key=lambda item: item[1]):
        for here, there in _drawn(start, end):
            ax.add_patch(
                FancyArrowPatch(
                    here,
                    there,
                    arrowstyle="-|>",
                    mutation_scale=6,
                    shrinkA=0,
                    shrinkB=0,
                    color=shades(scale(packets)),
                    linewidth=0.6 + 2.4 * scale(packets),
                )
            )
    ax.figure.colorbar(ScalarMappable(scale, shades), ax=ax, label="packets per tick", shrink=0.8)
    xs, ys = [x for x, _ in spots], [y for _, y in spots]
    ax.set(
        xlim=(min(xs) - 1, max(xs) + 1),
        ylim=(min(ys) - 1, max(ys) + 1),
        xlabel="x",
        ylabel="y",
        title=f"{mapping.application.name} on {mapping.machine.name}\n"
        f"{mapping.placer}, {mapping.router}",
    )
    ax.set_aspect("equal")
    return ax


def save_mapping(mapping: Mapping, path: str | Path) -> None:
    """Draw a mapping into a file.

    Raises
    ------
    ChipsimError
        For a file name of another ending than .png, .pdf or .svg, or without matplotlib.
    """
    if Path(path).suffix.lower() not in _FORMATS:
        raise ChipsimError(f"plot {path}: expected a file ending in {', '.join(_FORMATS)}")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChipsimError("--plot needs matplotlib: pip install 'chipsim[plots]'") from error
    xs, ys = zip(*_spots(mapping), strict=True)
    width = min(16.0, max(5.0, 0.55 * (max(xs) - min(xs) + 3) + 1.5))
    height = min(14.0, max(4.0, 0.55 * (max(ys) - min(ys) + 3) + 1.0))
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    mapping_load(mapping, figure.add_subplot())
    try:
        with rc_context({"svg.hashsalt": "chipsim"}):  # else its ids are drawn anew each time
            figure.savefig(path, dpi=120, metadata=_NO_DATE.get(Path(path).suffix.lower()))
    except OSError as error:
        raise ChipsimError(f"plot {path}: cannot be written: {error.strerror}") from error


_NO_DATE: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
"""So that the same mapping gives the same file."""


def _place(mapping: Mapping, chip: int, x: int, y: int) -> tuple[int, int]:
    """Return where a tile is drawn: itself on one chip or mesh, its chip on a board."""
    chips = mapping.machine.chips
    if chips is not None and len(chips) > 1:
        return int(chips.x[chip]), int(chips.y[chip])
    return x, y


def _spots(mapping: Mapping) -> dict[tuple[int, int], None]:
    machine = mapping.machine
    pes = machine.pes()
    columns = (machine.endpoint_chip[pes], machine.endpoint_x[pes], machine.endpoint_y[pes])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    spots = {_place(mapping, chip, x, y): None for chip, x, y in rows}
    spots |= dict.fromkeys(_router_tiles(mapping))
    return spots | {spot: None for pair in _link_loads(mapping) for spot in pair}


def _router_tiles(mapping: Mapping) -> tuple[tuple[int, int], ...]:
    """Return the tiles of the packet router where one chip with tiles is drawn."""
    machine = mapping.machine
    one = machine.chips is not None and len(machine.chips) == 1 and machine.lut is not None
    return floor_of(machine.description).router if one else ()


def _held(mapping: Mapping) -> dict[tuple[int, int], int]:
    machine = mapping.machine
    found: dict[tuple[int, int], int] = {}
    for end in mapping.placement.values():
        spot = _place(
            mapping,
            int(machine.endpoint_chip[end]),
            int(machine.endpoint_x[end]),
            int(machine.endpoint_y[end]),
        )
        found[spot] = found.get(spot, 0) + 1
    return found


def _link_loads(mapping: Mapping) -> dict[tuple[tuple[int, int], tuple[int, int]], float]:
    """Return the packets per tick between places, by (from, to); only links that carry any."""
    machine, routers = mapping.machine, _router_tiles(mapping)
    load = link_load(mapping)
    used = np.flatnonzero(load > 0)
    far = machine.port_node[machine.channel_port[used]]
    found: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}
    for channel, there in zip(used.tolist(), far.tolist(), strict=True):
        here = int(machine.channel_node[channel])
        start, end = (
            _place(
                mapping, int(machine.node_chip[n]), int(machine.node_x[n]), int(machine.node_y[n])
            )
            for n in (here, there)
        )
        # A packet router covers several tiles: each port is beside one of them.
        if routers and here == machine.extras["packet_router"]:
            start = min(routers, key=lambda tile: _steps(tile, end))
        elif routers and there == machine.extras["packet_router_input"]:
            end = min(routers, key=lambda tile: _steps(tile, start))
        if start != end:
            found[start, end] = found.get((start, end), 0.0) + float(load[channel])
    return found


def _drawn(
    start: tuple[int, int], end: tuple[int, int]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return the arrows of a link: one between neighbours, two stubs where it goes round."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    round_x, round_y = abs(dx) > 1, abs(dy) > 1
    ux = -_sign(dx) if round_x else dx
    uy = -_sign(dy) if round_y else dy
    length = float(np.hypot(ux, uy))
    side = (-uy / length * _SIDE, ux / length * _SIDE)

    def at(spot: tuple[int, int], share: float) -> tuple[float, float]:
        return spot[0] + side[0] + share * ux, spot[1] + side[1] + share * uy

    if not (round_x or round_y):
        return [(at(start, 0.3), at(start, 0.7))]
    return [(at(start, 0.3), at(start, 0.75)), (at(end, -0.75), at(end, -0.3))]


def _steps(one: tuple[int, int], other: tuple[int, int]) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
