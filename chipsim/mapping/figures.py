"""The figures that ``chipsim map`` and ``chipsim compare`` print: flat names, plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chipsim.mapping.metrics import Flow
from chipsim.mapping.tables import make_tables
from chipsim.mapping.trial import Trial
from chipsim.mapping.waiting import waiting

PHASE_FIGURES = (
    "packets_per_tick",
    "copies_per_tick",
    "tree_hops",
    "max_link_load",
    "mean_link_load",
    "sd_link_load",
    "mean_latency_ns",
    "max_latency_ns",
    "energy_nj",
    "hottest_link",
)
"""Static figures that are given by phase too."""


def with_tables(trial: Trial, minimise: str | None = None, target: int | None = None) -> Trial:
    """Return a trial whose mapping has minimised, checked tables; as it is without ``minimise``.

    Raises
    ------
    MappingError
        If a chip's table stays above ``target`` or its router's size.
    """
    if minimise is None:
        return trial
    return replace(trial, mapping=trial.mapping.with_tables(minimise, target))


def figures(trial: Trial) -> dict[str, Any]:
    """Return a trial's figures by name: those of :meth:`Trial.as_dict` and those below.

    ``table_entries`` and ``table_entries_total`` count the largest routing table and all of them,
    minimised where the mapping holds minimised ones, else an entry per net and node;
    ``mean_latency_ns`` and ``max_latency_ns`` are those of an empty network, ``energy_nj`` is of
    moved flits per tick; ``again`` are the options that give this mapping once more, by name also
    where ``best`` found it; ``channel_cycle`` and ``can_deadlock`` are those of
    :func:`chipsim.mapping.waiting.waiting`; ``by_phase`` has :data:`PHASE_FIGURES` of each phase.
    """
    mapping, metrics = trial.mapping, trial.metrics
    tables = make_tables(mapping) if mapping.tables is None else mapping.tables
    lengths = [len(table) for table in tables.values()]
    total = metrics.total
    found = trial.as_dict()
    last = {name: found.pop(name) for name in ("place_s", "route_s", "valid")}
    return {
        **found,
        "table_entries": max(lengths, default=0),
        "table_entries_total": sum(lengths),
        "tables_minimised": mapping.tables is not None,
        "mean_latency_ns": total.mean_latency_ns,
        "max_latency_ns": total.max_latency_ns,
        "energy_nj": sum(total.energy_nj.values()),
        "replica_locality": metrics.replica_locality,
        "replica_hops": metrics.replica_hops,
        "again": f"--place {mapping.placer} --route {mapping.router} --seed {mapping.seed}",
        **waiting(mapping).as_dict(),
        **last,
        "by_phase": {phase: _phase(flow) for phase, flow in metrics.by_phase.items()},
    }


def _phase(flow: Flow) -> dict[str, Any]:
    row = {name: getattr(flow, name) for name in PHASE_FIGURES}
    return row | {"energy_nj": sum(flow.energy_nj.values())}
