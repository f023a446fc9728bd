"""What a search varies, within which bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chipsim.errors import DataError, did_you_mean
from eventprop_apps.experiment import TrainingModel


@dataclass(frozen=True)
class Range:
    """The bounds of one setting.

    Attributes
    ----------
    low, high : float
    log : bool
        Drawn evenly in the logarithm.
    """

    low: float
    high: float
    log: bool


SPACE: Mapping[str, Range] = {
    "optimizer.lr": Range(1e-4, 2e-2, True),
    "optimizer.lr_decay": Range(0.8, 1.0, False),
    "optimizer.weight_decay": Range(1e-8, 1e-3, True),
    "loss.xi": Range(0.3, 5.0, True),
    "loss.alpha": Range(1e-4, 1e-1, True),
    "loss.beta": Range(10.0, 1000.0, True),
    "loss.tau0_ms": Range(0.1, 5.0, True),
    "loss.tau1_ms": Range(1.0, 100.0, True),
    "model.tau_syn_ms": Range(2.0, 20.0, True),
    "model.tau_mem_ms": Range(5.0, 50.0, True),
}
"""Settings that can be searched; the bounds are choices of this project, not published ones."""

USUAL = ("optimizer.lr", "optimizer.lr_decay", "optimizer.weight_decay", "model.tau_syn_ms")
OF_FORM = {
    "offchip": ("loss.xi", "loss.alpha", "loss.beta"),
    "onchip": ("loss.alpha", "loss.tau0_ms", "loss.tau1_ms"),
}
"""Settings of the loss that have an effect, by its form."""


def chosen_space(words: Sequence[str], form: str) -> dict[str, Range]:
    """Return the ranges to search.

    Parameters
    ----------
    words : sequence of str
        ``NAME`` or ``NAME=LOW:HIGH``; without any, the usual ones and those of the loss.
    form : str
        Form of the loss: ``offchip``, ``onchip``; other losses have no settings that are searched.

    Raises
    ------
    DataError
        For an unknown name, one given twice, or bounds that are none; all are named.
    """
    if not words:
        return {name: SPACE[name] for name in (*USUAL, *OF_FORM.get(form, ()))}
    space: dict[str, Range] = {}
    problems = []
    for word in words:
        name, equals, text = word.partition("=")
        if name not in SPACE:
            problems.append(f"unknown parameter {name!r}{did_you_mean(name, SPACE)}")
        elif name in space:
            problems.append(f"{name} is given twice")
        elif not equals:
            space[name] = SPACE[name]
        elif (bounds := _bounds(text)) is None or (SPACE[name].log and bounds[0] <= 0):
            above = " above 0" if SPACE[name].log else ""
            problems.append(f"{name}: got {text!r}, expected LOW:HIGH with LOW < HIGH{above}")
        else:
            space[name] = Range(*bounds, SPACE[name].log)
    if problems:
        raise DataError(f"search: {'; '.join(problems)}")
    return space


def with_settings(values: TrainingModel, settings: Mapping[str, float]) -> TrainingModel:
    """Return an experiment's values with some settings changed, checked anew."""
    table = values.model_dump()
    for name, value in settings.items():
        section, field = name.split(".")
        table[section][field] = value
    return type(values).model_validate(table)


def _bounds(text: str) -> tuple[float, float] | None:
    parts = text.split(":")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        return None
    return (low, high) if low < high and math.isfinite(high - low) else None
