"""The table that ends a run: what its summary says, for people.

Fields that a summary does not have are left out, so that it serves every experiment. A figure that
rests on an assumption is marked with ``*``; the assumptions follow with their source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]
Row = tuple[str, str]

_MARK = " *"
_MOST_ASSUMPTIONS = 12


def render(name: str, summary: Summary) -> str:
    """Return the table of experiment ``name`` as text."""
    sections: Sequence[tuple[str, Callable[[Summary], Iterator[Row]]]] = (
        (f"{name}, seed {summary.get('seed', '?')}", _result),
        ("packets", _packets),
        ("time", _time),
        ("energy", _energy),
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
        trained = [f"{summary['epochs']} epochs"]
        if "train_samples" in summary:
            trained.append(f"{summary['train_samples']:,} samples each")
        if "batches" in summary:
            trained.append(f"{summary['batches']:,} batches in all")
        yield "trained", ", ".join(trained)


def _packets(summary: Summary) -> Iterator[Row]:
    for kind, count in summary.get("packets", {}).items():
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
        for key in ("late_spikes", "late_errors", "unmatched_errors", "stale_phase")
        if key in summary
    ]
    if late:
        yield "late", ", ".join(late)


def _time(summary: Summary) -> Iterator[Row]:
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


def _energy(summary: Summary) -> Iterator[Row]:
    parts = summary.get("energy_mj", {})
    assumed = {str(row["name"]) for row in summary.get("assumptions", ())}
    for part, value in parts.items():
        if part == "total":
            continue
        stem = part.split("_")[0].rstrip("s")
        mark = _MARK if any(name.startswith(f"energy.{stem}") for name in assumed) else ""
        yield part.replace("_", " "), f"{value:,.6g} mJ{mark}"
    if parts:
        total = parts.get("total", sum(parts.values()))
        yield "total", f"{total:,.6g} mJ"


def _assumed(summary: Summary) -> list[str]:
    rows = summary.get("assumptions", ())
    if not rows:
        return []
    lines = [f"* rests on assumed figures; {len(rows)} assumed or set figures were read in all:"]
    lines += [
        f"  {row['name']} = {row['value']} ({row['kind']}: {row['source']})"
        for row in rows[:_MOST_ASSUMPTIONS]
    ]
    if len(rows) > _MOST_ASSUMPTIONS:
        lines.append(
            f"  … {len(rows) - _MOST_ASSUMPTIONS} more in the summary (--json, or --out's file)"
        )
    return ["\n".join(lines)]
