"""Experiments: files and settings in, checked values out."""

from chipsim.experiment.kinds import (
    Experiment,
    ExperimentKind,
    Progress,
    Run,
    find_kind,
    names,
)
from chipsim.experiment.model import ExperimentModel, Section
from chipsim.experiment.resolve import resolve, validate

__all__ = [
    "Experiment",
    "ExperimentKind",
    "ExperimentModel",
    "Progress",
    "Run",
    "Section",
    "find_kind",
    "names",
    "resolve",
    "validate",
]
