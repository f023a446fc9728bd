"""The fields of ``summary.json``: name, unit, meaning; and their check."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chipsim.errors import TraceError


@dataclass(frozen=True)
class SummaryField:
    """One field.

    Attributes
    ----------
    unit : str
        Empty for counts.
    meaning : str
    form : str
        ``int``, ``float`` (an int will do), ``str``, ``map`` (named values), ``list``; with a
        ``?`` at its end it may be null.
    host : bool
        Whether it depends on the host, its software or its clock; such fields are left out when
        two runs are compared (:func:`chipsim.testing.same_summary`).
    """

    unit: str
    meaning: str
    form: str = "int"
    host: bool = False


SUMMARY_FIELDS: dict[str, SummaryField] = {
    "experiment": SummaryField("", "Name of the experiment", "str"),
    "machine": SummaryField("", "Name of the machine", "str"),
    "seed": SummaryField("", "Seed of the run"),
    "test_accuracy": SummaryField("", "Share of test samples classified right", "float"),
    "train_accuracy": SummaryField("", "Same, of the last epoch's training samples", "float"),
    "epochs": SummaryField("", "Epochs trained"),
    "batches": SummaryField("", "Batches trained, all epochs"),
    "train_samples": SummaryField("", "Training samples of an epoch, last batch dropped or not"),
    "packets": SummaryField("", "Packets sent, by kind", "map"),
    "packets_injected": SummaryField("", "Packets accepted into source ports"),
    "copies_expected": SummaryField("", "Leaves of all packets sent: what must arrive"),
    "copies_delivered": SummaryField("", "Copies delivered"),
    "copies_dropped": SummaryField("", "Copies lost: dropped, or overwritten in a receive FIFO"),
    "copies_in_flight": SummaryField("", "Copies on their way at the end"),
    "packet_hops": SummaryField("", "Routers visited by all copies"),
    "latency_ns": SummaryField(
        "ns", "Delivery minus injection of delivered copies: median, p99, max; null: none", "map?"
    ),
    "late_spikes": SummaryField("", "Spikes consumed in another tick than the one after sending"),
    "late_errors": SummaryField("", "Errors consumed in another tick than the one after sending"),
    "unmatched_errors": SummaryField("", "Errors that name no spike of their neuron"),
    "stale_phase": SummaryField("", "Packets of an earlier phase or batch"),
    "tick_overruns": SummaryField("", "Handlers that ended after the next tick"),
    "tick_use_max": SummaryField("", "Longest handler as a share of the tick", "float"),
    "simulated_s": SummaryField("s", "Chip time simulated", "float"),
    "energy_mj": SummaryField("mJ", "Energy, by part", "map"),
    "assumptions": SummaryField("", "Assumed figures that the run has read", "list"),
    "cpu_s": SummaryField("s", "CPU time of the run", "float", host=True),
    "wall_s": SummaryField("s", "Time of the run by the host's clock", "float", host=True),
    "versions": SummaryField("", "Versions of chipsim, Python, packages", "map", host=True),
}
"""Every field of a training run's summary, in the order in which people read them."""

HOST_FIELDS = tuple(name for name, field in SUMMARY_FIELDS.items() if field.host)
"""Fields that two equal runs may differ in."""

_FORMS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "map": (dict,),
    "list": (list,),
}


def build_summary(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Check a summary and return it in the order of :data:`SUMMARY_FIELDS`, extra fields last.

    Raises
    ------
    TraceError
        Naming all problems: missing fields, wrong forms, NumPy values, numbers that are not
        finite, copies that are not conserved.
    """
    problems = [_missing(name, fields) for name in SUMMARY_FIELDS if name not in fields]
    for name, value in fields.items():
        plain = list(_impure(name, value))
        problems += plain
        if name in SUMMARY_FIELDS and not plain:
            problems += _misformed(name, value, SUMMARY_FIELDS[name].form)
    if not problems:
        problems += _unconserved(fields)
    if problems:
        raise TraceError("summary: " + "; ".join(problems))
    extra = [name for name in fields if name not in SUMMARY_FIELDS]
    return {name: fields[name] for name in [*SUMMARY_FIELDS, *extra]}


def _missing(name: str, fields: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, [f for f in fields if f not in SUMMARY_FIELDS], n=1)
    return f"{name} is missing" + (f" (given as {near[0]!r}?)" if near else "")


def _impure(where: str, value: Any) -> list[str]:
    """Return what in ``value`` has no plain JSON form."""
    if isinstance(value, dict):
        found = [f"{where} has the key {k!r}, no text" for k in value if type(k) is not str]
        for key, item in value.items():
            found += _impure(f"{where}.{key}", item)
        return found
    if isinstance(value, list):
        return [p for i, item in enumerate(value) for p in _impure(f"{where}[{i}]", item)]
    if type(value) is float and not math.isfinite(value):
        return [f"{where} is {value}, expected a finite number or null"]
    if value is None or type(value) in (bool, int, float, str):
        return []
    kind = f"{type(value).__module__}.{type(value).__name__}"
    return [f"{where} is a {kind}, expected a plain Python value"]


def _misformed(name: str, value: Any, form: str) -> list[str]:
    if value is None and form.endswith("?"):
        return []
    if isinstance(value, _FORMS[form.rstrip("?")]) and not isinstance(value, bool):
        return []
    return [f"{name} is {value!r}, expected {form}"]


def _unconserved(fields: Mapping[str, Any]) -> list[str]:
    ended = sum(fields[f"copies_{how}"] for how in ("delivered", "dropped", "in_flight"))
    if fields["copies_expected"] == ended:
        return []
    return [
        f"copies are not conserved: expected {fields['copies_expected']}, but delivered + dropped "
        f"+ in flight = {ended}"
    ]
