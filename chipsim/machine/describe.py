"""What a machine is, for people and for programs: blocks, clocks, floor plan, every figure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from chipsim.machine.description import KINDS, Description, Provenance
from chipsim.machine.faults import Faults
from chipsim.machine.floor import Floor
from chipsim.machine.library import list_machines
from chipsim.machine.lut import synthesise
from chipsim.machine.model import EndpointKind, Machine
from chipsim.machine.spinnaker2 import floor_of, turns_of
from chipsim.machine.wounds import counts
from chipsim.units import PS_PER_S, format_time

__all__ = ["as_json", "list_machines", "render"]

MOST_DRAWN = 48
"""Columns of the widest grid of chips that is drawn in text."""
MOST_NAMED = 6

_LEGEND = (
    ("Q", "QPE: 4 PEs round a NoC router"),
    ("R", "packet router"),
    ("A", "memory interface A"),
    ("B", "memory interface B"),
    ("H", "host interface"),
    ("S", "serial IO (chip links)"),
    ("P", "periphery"),
    ("o", "further port"),
    ("x", "dead, or cut off by dead parts"),
)


def as_json(machine: Machine) -> dict[str, Any]:
    """Return the machine as plain values: ``name``, ``title``, ``family``, ``counts``, ``faults``
    (dead parts by kind), ``clocks``, ``channels`` (by class), ``derived``, ``floor`` (rows from the
    top; SpiNNaker2 only), ``chips`` (several chips only: grid, boards, Ethernet chips, and a
    drawing by rows where the grid is at most 48 wide) and ``figures`` (name, value, unit, kind,
    source).
    """
    description = machine.description.fresh()
    return {
        "name": machine.name,
        "title": description.title,
        "family": description.family,
        "counts": _counts(machine),
        "faults": {kind: dead for kind, dead in counts(machine).items() if dead},
        "clocks": _clocks(description),
        "channels": _channels(machine),
        "derived": _derived(machine, description),
        "floor": _drawing(machine) if description.family == "spinnaker2" else [],
        "chips": _chips(machine),
        "figures": [row._asdict() for row in description.provenance()],
    }


def render(machine: Machine) -> str:
    """Return the same as text."""
    facts = as_json(machine)
    parts = [f"{facts['name']}: {facts['title']}"]
    parts.append(_table("Counts", [(k, str(v)) for k, v in facts["counts"].items()]))
    if facts["faults"]:
        parts.append(_table("Dead", [(k, str(v)) for k, v in facts["faults"].items()]))
    parts.append(_table("Clocks", [(k, f"{v:g} MHz") for k, v in facts["clocks"].items()]))
    parts.append(_table("Channels", [_channel_row(row) for row in facts["channels"]]))
    parts.append(_table("Derived", [(k, str(v)) for k, v in facts["derived"].items()]))
    if facts["floor"]:
        used = set("".join(facts["floor"]))
        legend = ", ".join(f"{letter} {text}" for letter, text in _LEGEND if letter in used)
        title = "Floor plan" if not facts["chips"] else f"Floor plan of {_shown_chip(machine)[1]}"
        parts.append("\n".join([title, *_framed(facts["floor"]), f"  {legend}"]))
    if facts["chips"]:
        parts.append(_chip_text(facts["chips"]))
    rows = machine.description.provenance()
    parts.append(_table("Figures", [_figure_row(row) for row in rows]))
    kinds = Counter(row.kind for row in rows)
    meaning = [(kind, f"{text} ({kinds[kind]})") for kind, text in KINDS.items() if kinds[kind]]
    parts.append(_table("Kinds", [*meaning]))
    return "\n\n".join(parts) + "\n"


def _counts(machine: Machine) -> dict[str, int]:
    kinds = np.bincount(machine.endpoint_kind, minlength=len(EndpointKind)).tolist()
    found = {
        "chips": int(machine.node_chip.max()) + 1,
        "routers": int(machine.node_hop.sum()),
        "PEs": kinds[EndpointKind.PE],
        "DRAM interfaces": kinds[EndpointKind.DRAM],
        "host interfaces": kinds[EndpointKind.HOST],
        "packet routers": 0 if machine.chips is None else len(machine.chips),
        "nodes": machine.nodes,
        "ports": machine.ports,
        "channels": machine.channels,
    }
    found["routers"] -= found["packet routers"]
    free = len(machine.pes())
    return found if free == found["PEs"] else found | {"PEs for applications": free}


def _boards(machine: Machine) -> int:
    return 1 if machine.chips is None else int(machine.chips.board.max()) + 1


def _clocks(description: Description) -> dict[str, float]:
    """Return the clock of every block that has one [MHz]."""
    return {
        name.removesuffix(".clock_mhz").replace(".", " ").replace("_mhz", ""): float(row)
        for name in description.names()
        if name.endswith("mhz") and isinstance(row := description.figure(name), int | float)
    }


def _channels(machine: Machine) -> list[dict[str, Any]]:
    """Return a row per channel class; times are those of its first channel."""
    rows = []
    for index, cls in enumerate(machine.classes):
        members = np.flatnonzero(machine.channel_class == index)
        if not len(members):
            continue
        first = int(members[0])
        rows.append(
            {
                "class": cls.name,
                "count": len(members),
                "latency_ps": int(machine.channel_latency_ps[first]),
                "flit_ps": int(machine.channel_flit_ps[first]),
                "credit_ps": int(machine.channel_credit_ps[first]),
                "far_packets": int(machine.port_capacity[machine.channel_port[first]]),
                "pj_per_flit": cls.pj_per_flit,
            }
        )
    return rows


def _channel_row(row: dict[str, Any]) -> tuple[str, ...]:
    far = row["far_packets"]
    return (
        row["class"],
        f"{row['count']}",
        f"latency {format_time(row['latency_ps'])}",
        f"flit {format_time(row['flit_ps'])}",
        f"credit {format_time(row['credit_ps'])}",
        f"{far} packets at the far end" if far else "unbounded at the far end",
        f"{row['pj_per_flit']:g} pJ/flit",
    )


def _derived(machine: Machine, description: Description) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if any(cls.name == "noc" for cls in machine.classes):
        facts |= _noc_facts(machine, description)
    if machine.chips is not None:
        facts |= _router_facts(machine)
    if description.family == "spinnaker2":
        facts |= _chip_facts(description)
    for kind in ("short", "long"):
        facts |= _link_facts(machine, f"link_{kind}")
    return facts


def _noc_facts(machine: Machine, description: Description) -> dict[str, Any]:
    link = _first(machine, "noc")
    flit_ps = int(machine.channel_flit_ps[link])
    hop_ps, credit_ps = int(machine.channel_latency_ps[link]), int(machine.channel_credit_ps[link])
    rate = description.number("noc.clock_mhz") * description.number("noc.flits_per_cycle")
    gbps = description.integer("noc.max_payload_bits") * rate / 1000
    depth = int(machine.port_capacity[machine.channel_port[link]])
    reach = min(1.0, depth * flit_ps / (hop_ps + flit_ps + credit_ps)) if depth else 1.0
    return {
        "NoC hop [ps]": hop_ps,
        "NoC flit [ps]": flit_ps,
        "NoC payload per link [Gbit/s]": round(gbps, 3),
        "flits a cycle that the FIFOs allow": round(reach, 4),
    }


def _router_facts(machine: Machine) -> dict[str, Any]:
    lookup = _first(machine, "lookup")
    return {
        "look-up [ps]": int(machine.channel_latency_ps[lookup]),
        "look-ups [million/s]": round(PS_PER_S / int(machine.channel_flit_ps[lookup]) / 1e6, 3),
    }


def _link_facts(machine: Machine, name: str) -> dict[str, Any]:
    """Return a link's time and rate for each size of packet; nothing where there is no such link.

    The time is that from one chip's router into the next one's input, the rate what one direction
    of a link carries at most.
    """
    names = [cls.name for cls in machine.classes]
    if name not in names or not (machine.channel_class == names.index(name)).any():
        return {}
    link, shown = _first(machine, name), name.replace("_", " ")
    latency, flit = int(machine.channel_latency_ps[link]), int(machine.channel_flit_ps[link])
    facts: dict[str, Any] = {}
    for bits, flits in machine.classes[names.index(name)].flits.items():
        facts[f"{shown}, {bits} bit of payload [ps]"] = latency + (flits - 1) * flit
        rate = PS_PER_S / (flits * flit) / 1e6
        facts[f"{shown}, {bits} bit of payload [million/s]"] = round(rate, 3)
    return facts


def _chip_facts(description: Description) -> dict[str, Any]:
    floor, turns = floor_of(description), turns_of(description)
    plan = synthesise(floor, turns)
    pairs = len(floor.qpes) * (len(floor.qpes) - 1)
    hops = sum(len(plan.path(a, b)) - 1 for a in floor.qpes for b in floor.qpes)
    return {
        "look-up tables": "XY with detours" if plan.method == "turns" else "up*/down*",
        "mean path between QPEs [channels]": round(hops / pairs, 3) if pairs else 0.0,
    }


def _first(machine: Machine, name: str) -> int:
    """Return the first channel of a class (the ejecting one on a machine of one router)."""
    names = [cls.name for cls in machine.classes]
    members = np.flatnonzero(machine.channel_class == names.index(name))
    return int(members[0]) if len(members) else 0


def _drawing(machine: Machine) -> list[str]:
    """Return the floor plan, a text a row, the top row (largest y) first."""
    floor = Floor.from_values({r.name: r.value for r in machine.description.provenance()})
    letters = {tile: letter for letter, tile in floor.blocks()}
    letters |= dict.fromkeys(dead_tiles(machine, _shown_chip(machine)[0]), "x")
    return [
        "".join(letters.get((x, y), ".") for x in range(floor.width))
        for y in reversed(range(floor.height))
    ]


def dead_tiles(machine: Machine, chip: int) -> list[tuple[int, int]]:
    """Return the tiles of a chip's dead QPEs, and of those that these cut off."""
    faults = machine.faults or Faults()
    return [(x, y) for c, x, y in (*faults.qpes, *faults.cut_off) if c == chip]


def _shown_chip(machine: Machine) -> tuple[int, str]:
    """Return the chip whose floor plan is drawn: the first with a dead QPE, else the first."""
    faults = machine.faults or Faults()
    chip = min((row[0] for row in (*faults.qpes, *faults.cut_off)), default=0)
    return chip, "" if machine.chips is None else machine.chips.label(chip)


def _chips(machine: Machine) -> dict[str, Any]:
    """Return the grid of chips; empty for a single chip and for synthetic machines."""
    chips = machine.chips
    if chips is None or len(chips) == 1:
        return {}
    ethernet = np.unique(chips.ethernet)
    shown = ethernet[:MOST_NAMED].tolist()
    facts: dict[str, Any] = {
        "width": chips.width,
        "height": chips.height,
        "wrap": chips.wrap,
        "live": int(chips.alive.sum()),
        "boards": _boards(machine),
        "ethernet chips": len(ethernet),
        "first ethernet chips": [[int(chips.x[c]), int(chips.y[c])] for c in shown],
        "links": int((chips.link >= 0).sum()) // 2,
        "links between boards": int(((chips.link >= 0) & chips.layout.long).sum()) // 2,
        "drawing": [],
    }
    if chips.width <= MOST_DRAWN:
        letter = np.full(chips.layout.grid.shape, ".")
        letter[chips.y, chips.x] = "c"
        letter[chips.y[ethernet], chips.x[ethernet]] = "E"
        letter[chips.y[~chips.alive], chips.x[~chips.alive]] = "x"
        facts["drawing"] = ["".join(row) for row in letter[::-1].tolist()]
    return facts


def _chip_text(facts: dict[str, Any]) -> str:
    joined = ", edges joined" if facts["wrap"] else ""
    rows: list[tuple[str, ...]] = [
        ("grid", f"{facts['width']} x {facts['height']} chips{joined}"),
        ("boards", _board_text(facts)),
        ("links", f"{facts['links']}, of which {facts['links between boards']} between boards"),
        ("Ethernet chips", _named(facts["first ethernet chips"], facts["ethernet chips"])),
    ]
    lines = [_table("Chips", rows)]
    if facts["drawing"]:
        lines += _framed(facts["drawing"])
        lines.append("  c chip, E with Ethernet port, x dead; links lead E, NE, N, W, SW, S")
    return "\n".join(lines)


def _board_text(facts: dict[str, Any]) -> str:
    if facts["wrap"] and facts["boards"] == 1:
        return "none: no torus of 48-chip boards has this size; all links count as on-board ones"
    return str(facts["boards"])


def _named(places: list[list[int]], count: int) -> str:
    shown = ", ".join(f"({x},{y})" for x, y in places)
    return shown if count == len(places) else f"{shown}, ... ({count} in all)"


def _framed(rows: list[str]) -> list[str]:
    height = len(rows)
    wide = len(str(height - 1))
    lines = [f"  y={height - 1 - i:<{wide}}  {' '.join(row)}" for i, row in enumerate(rows)]
    return [*lines, "   x=" + " " * (wide + 1) + " ".join(str(x % 10) for x in range(len(rows[0])))]


def _figure_row(row: Provenance) -> tuple[str, ...]:
    value = str(row.value).lower() if isinstance(row.value, bool) else str(row.value)
    return (row.name, f"{value} {row.unit}".strip(), row.kind, row.source)


def _table(title: str, rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return title
    most = 36  # a long list of tiles must not push all sources off the screen
    widths = [
        max(len(row[i]) for row in rows if i == 0 or len(row[i]) <= most or len(row) <= i + 1)
        if any(len(row[i]) <= most for row in rows)
        else most
        for i in range(len(rows[0]) - 1)
    ]
    lines = [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([title, *lines])
