"""Draws a machine: the floor plan of one chip, and its chips with their links. Needs ``plots``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError
from chipsim.machine.chips import Chips
from chipsim.machine.describe import dead_tiles
from chipsim.machine.floor import Floor
from chipsim.machine.layout import VECTORS
from chipsim.machine.model import Machine
from chipsim.machine.parts import EndpointKind
from chipsim.machine.topology import topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")

MOST_ACROSS = 48
"""Chips or routers across the part that is drawn of a large machine."""

_COLOURS = {
    "Q": "#9ecae1",
    "R": "#d55e00",
    "A": "#009e73",
    "B": "#009e73",
    "H": "#cc79a7",
    "S": "#f0e442",
    "P": "#bbbbbb",
    "o": "#bbbbbb",
    "dead": "#444444",
}
_NAMES = {"A": "DRAM A", "B": "DRAM B", "H": "host", "S": "link", "P": "periph.", "o": "port"}
_BOARDS = ("#cfe3f3", "#fbe0c8", "#d5ecd4", "#eadcf0", "#f6d9d9", "#e8e8e8")


def check_plot(path: Path) -> None:
    """Refuse a drawing that could not be made.

    Raises
    ------
    MachineError
        If matplotlib is missing, or the file's name or place does not suit.
    """
    if find_spec("matplotlib") is None:
        raise MachineError(
            f"plot: {path}: drawing needs matplotlib, which is not installed; install "
            "chipsim[plots], or leave --plot out"
        )
    if path.suffix.lower() not in SUFFIXES:
        raise MachineError(
            f"plot: got {str(path)!r}; expected a file that ends in {', '.join(SUFFIXES)}"
        )
    if not path.parent.is_dir():
        raise MachineError(f"plot: the directory {path.parent} does not exist; create it first")


def draw(machine: Machine, path: Path) -> None:
    """Write a drawing of the machine: a chip's floor plan and, of several chips, where they stand.

    Of a large machine the first :data:`MOST_ACROSS` chips (or routers) each way are drawn, and the
    title says so. The same machine gives the same picture.

    Raises
    ------
    MachineError
        As :func:`check_plot`.
    """
    check_plot(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chips = machine.chips
    several = chips is not None and len(chips) > 1
    figure = Figure(figsize=(13.0 if several else 7.0, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if several else 1, squeeze=False)[0]
    if chips is None:
        draw_routers(machine, axes[0])
    elif machine.lut is None:
        draw_cores(machine, axes[0])
    else:
        draw_floor(machine, axes[0])
    if several and chips is not None:
        draw_chips(machine, axes[1])
    figure.suptitle(machine.name)
    with rc_context({"svg.hashsalt": machine.name}):  # else ids in the file are random
        figure.savefig(path, dpi=130, metadata=_no_date(path))


def _no_date(path: Path) -> dict[str, None]:
    """Keep the time of drawing out of the file."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})


def draw_floor(machine: Machine, ax: Axes, chip: int = 0) -> None:
    """Draw the floor plan of a SpiNNaker2 chip: blocks, NoC links, what is dead."""
    from matplotlib.patches import Rectangle

    floor = Floor.from_values({r.name: r.value for r in machine.description.provenance()})
    dead = set(dead_tiles(machine, chip))
    for letter, (x, y) in floor.blocks():
        colour = _COLOURS["dead" if (x, y) in dead else letter]
        ax.add_patch(Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, facecolor=colour, edgecolor="k"))
        text = _NAMES.get(letter, "packet\nrouter" if letter == "R" else f"QPE\n{x},{y}")
        tone = "w" if (x, y) in dead else "k"
        ax.text(x, y, text, ha="center", va="center", fontsize=7, color=tone)
    _noc_lines(machine, ax, chip)
    for x, y in floor.ports:
        for u, v in floor.beside((x, y), floor.router):
            way = ":" if (x, y) in dead else "-"
            ax.plot((x, u), (y, v), way, color="#333333", linewidth=1.2, zorder=0)
    ax.set(xlim=(-0.6, floor.width - 0.4), ylim=(-0.6, floor.height - 0.4), xlabel="x", ylabel="y")
    ax.set_aspect("equal")
    label = "" if machine.chips is None else f" of {machine.chips.label(chip)}"
    ax.set_title(f"floor plan{label}: 4 PEs a QPE; lines are NoC links, dotted ones dead")


def _noc_lines(machine: Machine, ax: Axes, chip: int) -> None:
    known = topology(machine)
    last = machine.nodes
    begin = 0
    if machine.chips is not None:
        begin = int(machine.chips.first_node[chip])
        last = int(np.searchsorted(machine.node_chip, chip, side="right"))
    for node in range(begin, last):
        for channel in known.out[node]:
            far = known.far[channel]
            if far < 0 or known.x[node] < 0 or int(machine.node_chip[far]) != chip:
                continue
            xs, ys = (known.x[node], known.x[far]), (known.y[node], known.y[far])
            if abs(xs[1] - xs[0]) + abs(ys[1] - ys[0]) != 1:
                continue
            way = ":" if channel in known.dead else "-"
            ax.plot(xs, ys, way, color="#333333", linewidth=1.2, zorder=0)


def draw_cores(machine: Machine, ax: Axes) -> None:
    """Draw a SpiNNaker1 chip: its cores round the router, and its SDRAM on the System NoC."""
    chips = machine.chips
    assert chips is not None
    ends = np.flatnonzero((machine.endpoint_chip == 0) & (machine.endpoint_kind == EndpointKind.PE))
    reserved, dead = machine.endpoint_reserved, machine.endpoint_dead
    for place, end in enumerate(ends.tolist()):
        angle = 2 * np.pi * place / len(ends)
        x, y = np.cos(angle), np.sin(angle)
        kept = reserved is not None and bool(reserved[end])
        gone = dead is not None and bool(dead[end])
        colour = _COLOURS["dead"] if gone else _COLOURS["P"] if kept else _COLOURS["Q"]
        ax.plot((0, x), (0, y), "-", color="#333333", linewidth=0.8, zorder=0)
        number, tone = str(int(machine.endpoint_index[end])), "w" if gone else "k"
        box = {"boxstyle": "circle", "facecolor": colour}
        ax.text(x, y, number, ha="center", va="center", color=tone, bbox=box)
    box = {"boxstyle": "round", "facecolor": _COLOURS["R"]}
    ax.text(0, 0, "router", ha="center", va="center", bbox=box)
    _system_noc(machine, ax, len(ends))
    ax.set(xlim=(-1.7, 1.7), ylim=(-1.9, 1.5))
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(
        f"{len(ends)} cores round the packet router; grey: system software, dark: dead;\n"
        "green: the System NoC, which only memory traffic goes by"
    )


def _system_noc(machine: Machine, ax: Axes, cores: int) -> None:
    """Draw the SDRAM, and the ring by which every core's DMA engine reaches it."""
    on_chip = machine.endpoint_chip == 0
    if not (on_chip & (machine.endpoint_kind == EndpointKind.DRAM)).any():
        return
    colour = _COLOURS["A"]
    turn = np.linspace(0, 2 * np.pi, 181)
    ax.plot(1.25 * np.cos(turn), 1.25 * np.sin(turn), "-", color=colour, lw=1.2, zorder=0)
    for place in range(cores):
        x, y = np.cos(2 * np.pi * place / cores), np.sin(2 * np.pi * place / cores)
        ax.plot((x, 1.25 * x), (y, 1.25 * y), "-", color=colour, lw=1.2, zorder=0)
    ax.plot((0, 0), (-1.25, -1.6), "-", color=colour, lw=1.2, zorder=0)
    box = {"boxstyle": "round", "facecolor": _COLOURS["A"]}
    ax.text(0, -1.65, "SDRAM", ha="center", va="center", bbox=box)


def draw_chips(machine: Machine, ax: Axes) -> None:
    """Draw where chips stand: a colour a board, a bold frame at Ethernet chips, what is dead."""
    from matplotlib.patches import RegularPolygon

    chips = machine.chips
    assert chips is not None
    x, y = _place(chips)
    inside = (chips.x < MOST_ACROSS) & (chips.y < MOST_ACROSS)
    _links(chips, ax, inside)
    for chip in np.flatnonzero(inside).tolist():
        live = bool(chips.alive[chip])
        ethernet = int(chips.ethernet[chip]) == chip
        colour = _BOARDS[int(chips.board[chip]) % len(_BOARDS)] if live else _COLOURS["dead"]
        ax.add_patch(
            RegularPolygon(
                (float(x[chip]), float(y[chip])),
                6,
                radius=0.36,
                facecolor=colour,
                edgecolor="#d55e00" if ethernet else "#333333",
                linewidth=2.0 if ethernet else 0.6,
            )
        )
        if chips.width <= 12:
            label = f"{int(chips.x[chip])},{int(chips.y[chip])}"
            ax.text(x[chip], y[chip], label, ha="center", va="center", fontsize=6)
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.set_axis_off()
    part = ""
    if not inside.all():
        part = f"; the first {MOST_ACROSS} x {MOST_ACROSS} of {chips.width} x {chips.height}"
    edges = " (the edges are joined)" if chips.wrap else ""
    ax.set_title(f"{len(chips)} chips{edges}; a colour a board, orange: Ethernet{part}")


def _place(chips: Chips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where chips are drawn, so that all six neighbours are equally far."""
    return chips.x - 0.5 * chips.y, chips.y * (np.sqrt(3) / 2)


def _links(chips: Chips, ax: Axes, inside: NDArray[np.bool_]) -> None:
    """Draw links, those between boards dashed and dead ones dotted; none round the edges."""
    x, y = _place(chips)
    layout = chips.layout
    for direction in range(3):
        there = layout.neighbour[:, direction]
        step = VECTORS[direction]
        near = there >= 0
        near &= (chips.x[there] - chips.x == step[0]) & (chips.y[there] - chips.y == step[1])
        near &= inside & inside[there]
        for chip in np.flatnonzero(near).tolist():
            far = int(there[chip])
            dead = int(chips.link[chip, direction]) < 0
            style = ":" if dead else "--" if layout.long[chip, direction] else "-"
            colour = "#d62728" if dead else "#333333"
            ax.plot((x[chip], x[far]), (y[chip], y[far]), style, color=colour, lw=0.9, zorder=0)


def draw_routers(machine: Machine, ax: Axes) -> None:
    """Draw the routers of a synthetic machine and their links; none round the edges."""
    known = topology(machine)
    slant = 0.5 if machine.channel_direction is not None and 1 in machine.channel_direction else 0.0
    rise = np.sqrt(1 - slant**2)
    inside = (machine.node_x < MOST_ACROSS) & (machine.node_y < MOST_ACROSS)
    x = machine.node_x - slant * machine.node_y
    y = machine.node_y * rise
    for node in np.flatnonzero(inside).tolist():
        for channel in known.out[node]:
            far = known.far[channel]
            if far < 0 or not inside[far]:
                continue
            if max(abs(known.x[far] - known.x[node]), abs(known.y[far] - known.y[node])) > 1:
                continue
            dead = channel in known.dead
            style, colour = (":", "#d62728") if dead else ("-", "#333333")
            ends = (x[node], x[far]), (y[node], y[far])
            ax.plot(*ends, style, color=colour, lw=0.9, zorder=0)
    ax.plot(x[inside], y[inside], "s", color=_COLOURS["Q"], markeredgecolor="k")
    ax.set_aspect("equal")
    ax.set_axis_off()
    size = f"{machine.grid_width} x {machine.grid_height} routers"
    part = "" if inside.all() else f"; the first {MOST_ACROSS} x {MOST_ACROSS}"
    edges = " (the edges are joined)" if machine.extras.get("torus", 0) else ""
    ax.set_title(f"{size}{edges}, one endpoint each{part}")
