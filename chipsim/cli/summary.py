"""The table that ends a run: what its summary says, for people.

Fields that a summary does not have are left out, so that it serves every experiment. A figure that
rests on an assumed figure is marked with ``*``; the assumed figures follow by name, their sources
are in ``summary.json`` and in ``chipsim machine``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]
Row = tuple[str, str]

_MARK = " *"
_WIDTH = 100
_COSTS = (
    ("ticks", "ticks", 8, 2),
    ("cycles", "cycles", 12, 0),
    ("packets", "packets", 10, 1),
    ("bytes", "bytes", 10, 0),
    ("packet-hops", "packet_hops", 13, 1),
    ("energy [uJ]", "energy_uj", 13, 2),
)
"""Columns of the costs by phase: head, field, width, decimals."""


def render(name: str, summary: Summary) -> str:
    """Return the table of experiment ``name`` as text."""
    sections: Sequence[tuple[str, Callable[[Summary], Iterator[Row]]]] = (
        (f"{name}, seed {summary.get('seed', '?')}", _result),
        ("packets", _packets),
        ("time", _time),
        ("energy", _energy),
        ("per sample, by phase", _phases),
    )
    blocks = []
    for title, rows_of in sections:
        rows = list(rows_of(summary))
        if rows:
            width = max(24, *(len(label) for label, _ in rows))
            blocks.append("\n".join([title, *(f"  {a:{width}}  {b}" for a, b in rows)]))
    blocks += _assumed(summary)
    return "\n\n".join(blocks)


def _result(summary: Summary) -> Iterator[Row]:
    for key, label in (("test_accuracy", "test accuracy"), ("train_accuracy", "train accuracy")):
        if summary.get(key) is not None:
            yield label, f"{100 * summary[key]:.2f} %"
    if "epochs" in summary:
        epochs = summary["epochs"]
        trained = [f"{epochs} epoch{'' if epochs == 1 else 's'}"]
        if "train_samples" in summary:
            trained.append(f"{summary['train_samples']:,} samples each")
        if "batches" in summary:
            trained.append(f"{summary['batches']:,} batches in all")
        yield "trained", ", ".join(trained)


def _packets(summary: Summary) -> Iterator[Row]:
    for kind, count in summary.get("packets", {}).items():
        if count or kind != "current":  # few networks have layers that send currents
            yield kind, f"{count:,}"
    if "packets_injected" in summary:
        yield "all", f"{summary['packets_injected']:,}"
    if "packet_hops" in summary:
        yield "packet-hops", f"{summary['packet_hops']:,}"
    if "copies_expected" in summary:
        ended = ("delivered", "dropped", "overwritten", "in_flight")
        counts = [(end, summary.get(f"copies_{end}", 0)) for end in ended]
        words = [f"{count:,} {end.replace('_', ' ')}" for end, count in counts if count]
        yield "copies", f"{summary['copies_expected']:,} expected: {', '.join(words) or 'none'}"
    latency = summary.get("latency_ns") or {}
    parts = [
        f"{label} {latency[key]:,.1f} ns"
        for key, label in (("median", "median"), ("p99", "p99"), ("max", "max"))
        if latency.get(key) is not None
    ]
    if parts:
        yield "latency", ", ".join(parts)
    late = [
        f"{summary[key]:,} {key.replace('_', ' ')}"
        for key in (
            "late_spikes",
            "late_errors",
            "late_currents",
            "unmatched_errors",
            "stale_phase",
        )
        if key in summary
    ]
    if late:
        yield "late", ", ".join(late)


def _time(summary: Summary) -> Iterator[Row]:
    if "tick_us" in summary:
        yield "tick", f"{summary['tick_us']:,g} us{_searched(summary.get('tick_search'))}"
    for name, seconds in summary.get("chip_s_per_epoch", {}).items():
        yield f"chip time, {name}", f"{seconds:,.6g} s an epoch"
    if "tick_use_max" in summary:
        yield "longest tick", f"{100 * summary['tick_use_max']:.1f} % of the tick"
    if "tick_overruns" in summary:
        yield "tick overruns", f"{summary['tick_overruns']:,}"
    for key, label in (
        ("simulated_s", "simulated"),
        ("cpu_s", "CPU"),
        ("wall_s", "real"),
    ):
        if key in summary:
            yield label, f"{summary[key]:,.3f} s"


def _searched(steps: Sequence[Summary] | None) -> str:
    """Return how a tick was found: by how many runs, and what the next shorter one did."""
    if not steps:
        return ""
    bad = [s for s in steps if s["overruns"] or s["late_spikes"] or s["late_errors"]]
    text = f", the shortest without overruns or late packets, found in {len(steps)} runs"
    if bad:
        worst = max(bad, key=lambda step: int(step["us"]))
        late = worst["late_spikes"] + worst["late_errors"]
        text += f" ({worst['us']:,} us: {worst['overruns']:,} overruns, {late:,} late packets)"
    return text


_KINDS = {
    "M": "  (measured)",
    "D": "  (documented)",
    "C": "  (from public code)",
    "S": "  (simulated before silicon)",
    "I": "  (inferred from measurements)",
    "A": "  (assumed)",
    "U": "  (set by the user)",
}
"""What a line of energy rests on, by the kind of its figure."""


def _energy(summary: Summary) -> Iterator[Row]:
    parts = summary.get("energy_mj", {})
    kinds = summary.get("energy_kinds", {})
    for part, value in parts.items():
        if part != "total":
            mark = _MARK if _energy_assumed(part, summary) else ""
            kind = _KINDS.get(kinds.get(part, ""), "")
            yield part.replace("_", " "), f"{value:,.6g} mJ{mark}{kind}"
    if parts:
        total = parts.get("total", sum(parts.values()))
        yield "total", f"{total:,.6g} mJ"


def _phases(summary: Summary) -> Iterator[Row]:
    """Yield the cost of a sample in each phase as a table of its own; energy is marked by part."""
    costs = [
        (phase, row["per_sample"])
        for phase, row in summary.get("cost_by_phase", {}).items()
        if row["per_sample"] is not None
    ]
    if costs:
        yield "", "".join(f"{head:>{width}}" for head, _, width, _ in _COSTS)
    for phase, cost in costs:
        cells = (f"{cost[name]:,.{places}f}" for _, name, _, places in _COSTS)
        yield (
            phase,
            "".join(
                f"{cell:>{width}}" for cell, (_, _, width, _) in zip(cells, _COSTS, strict=True)
            ),
        )


def _energy_assumed(part: str, summary: Summary) -> list[str]:
    """Return the assumed figures of one part: ``energy.link_bit_pj`` belongs to ``links``."""
    stem = part.split("_")[0].rstrip("s")
    names = (row["name"] for row in summary.get("assumptions", ()))
    return [name for name in names if name.startswith(f"energy.{stem}_")]


def _assumed(summary: Summary) -> list[str]:
    rows = summary.get("assumptions", ())
    marked = {n for part in summary.get("energy_mj", {}) for n in _energy_assumed(part, summary)}
    energy = [f"{row['name']} = {row['value']}" for row in rows if row["name"] in marked]
    others = [row["name"] for row in rows if row["kind"] != "U" and row["name"] not in marked]
    set_here = [
        f"  {row['name']} = {row['value']} ({row['source']})" for row in rows if row["kind"] == "U"
    ]
    blocks = []
    if energy:
        blocks.append(_wrapped("* rests on assumed figures:", energy))
    if others:
        blocks.append(_wrapped(f"{len(others)} more assumed figures were read:", others))
    if set_here:
        blocks.append("\n".join(["set for this run:", *set_here]))
    if unread := summary.get("settings_not_read", ()):
        title = "set, but nothing in this run read it, so that it changed no result:"
        blocks.append(_wrapped(title, unread))
    return blocks


def _wrapped(title: str, words: Sequence[str]) -> str:
    """Return a comma-separated list in lines; a word is never broken."""
    lines = [title]
    line = " "
    for i, word in enumerate(words):
        text = f" {word}{',' if i + 1 < len(words) else ''}"
        if len(line) + len(text) > _WIDTH and line.strip():
            lines.append(line)
            line = " "
        line += text
    return "\n".join([*lines, line])
