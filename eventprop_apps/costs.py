"""Cycles of EventProp's operations, from ``costs.toml`` beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from chipsim.errors import ExperimentError, did_you_mean
from chipsim.sim.costs import Cost


@cache
def shipped() -> dict[str, Cost]:
    """Return the shipped table."""
    text = (files("eventprop_apps") / "costs.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["cycles"]
    return {
        name: Cost(row["value"], row["kind"], row["source"], row.get("counter", ""))
        for name, row in table.items()
    }


def load(changes: Mapping[str, int] | None = None) -> dict[str, Cost]:
    """Return the table with some entries set by the user (kind U).

    Raises
    ------
    ExperimentError
        For operations that are not in the table, or cycles that are no count; all at once.
    """
    costs = dict(shipped())
    problems = []
    for name, value in (changes or {}).items():
        if name not in costs:
            problems.append(f"{name}: unknown operation{did_you_mean(name, costs)}")
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            problems.append(f"{name}: got {value!r}, expected a whole number of cycles, at least 0")
        else:
            old = costs[name]
            source = f"set by the user; was {old.cycles} ({old.kind})"
            costs[name] = replace(old, cycles=value, kind="U", source=source)
    if problems:
        raise ExperimentError("EventProp costs", problems)
    return costs
