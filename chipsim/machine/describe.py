"""What a machine is, for people and for programs: blocks, clocks, floor plan, every figure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from chipsim.machine.description import KINDS, Description, Provenance
from chipsim.machine.floor import Floor
from chipsim.machine.library import list_machines
from chipsim.machine.lut import synthesise
from chipsim.machine.model import EndpointKind, Machine, NodeKind
from chipsim.machine.spinnaker2 import floor_of, turns_of
from chipsim.units import PS_PER_S, format_time

__all__ = ["as_json", "list_machines", "render"]

_LEGEND = (
    ("Q", "QPE: 4 PEs round a NoC router"),
    ("R", "packet router"),
    ("A", "memory interface A"),
    ("B", "memory interface B"),
    ("H", "host interface"),
    ("S", "serial IO (chip links)"),
    ("P", "periphery"),
    ("o", "further port"),
)


def as_json(machine: Machine) -> dict[str, Any]:
    """Return the machine as plain values: ``name``, ``title``, ``family``, ``counts``, ``clocks``,
    ``channels`` (by class), ``derived``, ``floor`` (rows from the top; SpiNNaker2 only) and
    ``figures`` (name, value, unit, kind, source).
    """
    description = machine.description.fresh()
    return {
        "name": machine.name,
        "title": description.title,
        "family": description.family,
        "counts": _counts(machine),
        "clocks": _clocks(description),
        "channels": _channels(machine),
        "derived": _derived(machine, description),
        "floor": _drawing(description) if description.family == "spinnaker2" else [],
        "figures": [row._asdict() for row in description.provenance()],
    }


def render(machine: Machine) -> str:
    """Return the same as text."""
    facts = as_json(machine)
    parts = [f"{facts['name']}: {facts['title']}"]
    parts.append(_table("Counts", [(k, str(v)) for k, v in facts["counts"].items()]))
    parts.append(_table("Clocks", [(k, f"{v:g} MHz") for k, v in facts["clocks"].items()]))
    parts.append(_table("Channels", [_channel_row(row) for row in facts["channels"]]))
    parts.append(_table("Derived", [(k, str(v)) for k, v in facts["derived"].items()]))
    if facts["floor"]:
        used = set("".join(facts["floor"]))
        legend = ", ".join(f"{letter} {text}" for letter, text in _LEGEND if letter in used)
        parts.append("\n".join(["Floor plan", *_framed(facts["floor"]), f"  {legend}"]))
    rows = machine.description.provenance()
    parts.append(_table("Figures", [_figure_row(row) for row in rows]))
    kinds = Counter(row.kind for row in rows)
    meaning = [(kind, f"{text} ({kinds[kind]})") for kind, text in KINDS.items() if kinds[kind]]
    parts.append(_table("Kinds", [*meaning]))
    return "\n\n".join(parts) + "\n"


def _counts(machine: Machine) -> dict[str, int]:
    kinds = Counter(machine.endpoint_kind.tolist())
    counts = {
        "chips": int(machine.node_chip.max()) + 1,
        "routers": int(machine.node_hop.sum()),
        "PEs": kinds[EndpointKind.PE],
        "DRAM interfaces": kinds[EndpointKind.DRAM],
        "host interfaces": kinds[EndpointKind.HOST],
        "packet routers": int((machine.node_kind == NodeKind.POOL).sum()),
        "nodes": machine.nodes,
        "ports": machine.ports,
        "channels": machine.channels,
    }
    counts["routers"] -= counts["packet routers"]
    return counts


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
    link = _first(machine, "noc")
    flit_ps = int(machine.channel_flit_ps[link])
    hop_ps, credit_ps = int(machine.channel_latency_ps[link]), int(machine.channel_credit_ps[link])
    rate = description.number("noc.clock_mhz") * description.number("noc.flits_per_cycle")
    gbps = description.integer("noc.max_payload_bits") * rate / 1000
    depth = int(machine.port_capacity[machine.channel_port[link]])
    reach = min(1.0, depth * flit_ps / (hop_ps + flit_ps + credit_ps)) if depth else 1.0
    facts: dict[str, Any] = {
        "NoC hop [ps]": hop_ps,
        "NoC flit [ps]": flit_ps,
        "NoC payload per link [Gbit/s]": round(gbps, 3),
        "flits a cycle that the FIFOs allow": round(reach, 4),
    }
    if description.family == "spinnaker2":
        facts |= _chip_facts(machine, description)
    return facts


def _chip_facts(machine: Machine, description: Description) -> dict[str, Any]:
    lookup = _first(machine, "lookup")
    floor, turns = floor_of(description), turns_of(description)
    plan = synthesise(floor, turns)
    pairs = len(floor.qpes) * (len(floor.qpes) - 1)
    hops = sum(len(plan.path(a, b)) - 1 for a in floor.qpes for b in floor.qpes)
    return {
        "look-up [ps]": int(machine.channel_latency_ps[lookup]),
        "look-ups [million/s]": round(PS_PER_S / int(machine.channel_flit_ps[lookup]) / 1e6, 3),
        "look-up tables": "XY with detours" if plan.method == "turns" else "up*/down*",
        "mean path between QPEs [channels]": round(hops / pairs, 3) if pairs else 0.0,
    }


def _first(machine: Machine, name: str) -> int:
    """Return the first channel of a class (the ejecting one on a machine of one router)."""
    names = [cls.name for cls in machine.classes]
    members = np.flatnonzero(machine.channel_class == names.index(name))
    return int(members[0]) if len(members) else 0


def _drawing(description: Description) -> list[str]:
    """Return the floor plan, a text a row, the top row (largest y) first."""
    floor = Floor.from_values({row.name: row.value for row in description.provenance()})
    letters = {tile: letter for letter, tile in floor.blocks()}
    return [
        "".join(letters.get((x, y), ".") for x in range(floor.width))
        for y in reversed(range(floor.height))
    ]


def _framed(rows: list[str]) -> list[str]:
    height = len(rows)
    lines = [f"  y={height - 1 - i}  {' '.join(row)}" for i, row in enumerate(rows)]
    return [*lines, "   x=  " + " ".join(str(x % 10) for x in range(len(rows[0])))]


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
