"""The sections that every experiment has; an experiment's own sections join by a subclass.

Every field has its unit in its name where it has one, and a description that is written beside its
value into the run's resolved ``experiment.toml``. Fields have no defaults here: an experiment's
default file gives them all, so that what a run did stands in one place. What may be left out (a
limit that is not set) has the default None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chipsim.errors import UnitError
from chipsim.units import ms, us

SEED_MAX = 2**63 - 1
NAME_MAX = 250
"""Characters of a name: what file systems allow."""

Count = Annotated[int, Field(ge=1, le=10**9)]
"""An integer of at least 1."""
Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
NotNegative = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]

SECTIONS = (
    "data",
    "model",
    "loss",
    "optimizer",
    "train",
    "machine",
    "mapping",
    "network",
    "tick",
    "trace",
    "init",
)
"""Sections in the order in which they are written; others follow."""


class Section(BaseModel):
    """A table of settings: unknown keys are errors, nothing is converted, nothing changes."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class TrainSection(Section):
    """How long and from which seed."""

    epochs: Count
    """Times through the training samples."""
    batch: Count
    """Samples of an update, each on a replica of its own; the last incomplete batch is dropped."""
    seed: Seed
    """Seed of the run: initial weights and order of samples (the data have their own)."""


class MachineSection(Section):
    """The machine, and figures that differ from its description (noc.hop_cycles = 7)."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    """A machine (chipsim machine --list) such as spinnaker2, or a description's file."""

    def settings(self) -> dict[str, Any]:
        """Return the figures that were set, by dotted name (``noc.hop_cycles``)."""
        return dict(flatten(self.model_extra or {}))


class MappingSection(Section):
    """Where programs go and how their packets travel."""

    placer: Annotated[str, Field(min_length=1)]
    """Placement strategy, by name or FILE.py:FUNCTION (chipsim strategies lists them)."""
    transport: Literal["noc_direct", "router_multicast"]
    """noc_direct: a NoC packet per destination, sent by software; router_multicast."""
    file: Annotated[str, Field(min_length=1)] | None = None
    """Take placement, routes and keys from this mapping.json (chipsim map EXPERIMENT --out)."""
    router: Annotated[str, Field(min_length=1)] | None = None
    """Routing strategy, as for the placer; each net by its transport (default) if not given."""
    chips: Count | None = None
    """Chips over which the placer spread shares the replicas out; all of the machine's."""


class NetworkSection(Section):
    """The simulator's network model."""

    model: Literal["compiled", "simpy"]
    """compiled (fast) or simpy (the reference, a process per router); equal to the picosecond."""


class TickSection(Section):
    """The timer tick of the PEs."""

    us: Annotated[int, Field(ge=1, le=10**9)] | Literal["auto"]
    """Length of a tick in whole microseconds of chip time; "auto": the shortest that is enough."""
    phase: Literal["zero", "random", "tdma"] | None = None
    """When the PEs' timers tick; the chip's pe.timer_phase if not given."""
    spread: Annotated[float, Field(ge=0, le=1)] | None = None
    """Part of a tick over which random and tdma phases lie."""
    drift_ppm: Annotated[float, Field(ge=0, le=1e5)] | None = None
    """Largest error of a timer's period [parts in a million]."""

    def timers(self) -> dict[str, object]:
        """Return what is given of the timers, as a simulation takes it."""
        given = {"phase": self.phase, "spread": self.spread, "drift_ppm": self.drift_ppm}
        return {name: value for name, value in given.items() if value is not None}


class TraceSection(Section):
    """What is written besides the summary, and for which part of the run."""

    level: Literal["summary", "packets", "hops"]
    """summary: no trace; packets: packets, ticks, channels; hops: every grant too."""
    start_ms: NotNegative | None = None
    """First chip time that is traced [ms]."""
    end_ms: Positive | None = None
    """Chip time at which tracing ends, not included [ms]."""
    first_batch: Annotated[int, Field(ge=0)] | None = None
    """First batch that is traced."""
    last_batch: Annotated[int, Field(ge=0)] | None = None
    """Last batch that is traced, included."""
    kinds: list[str] | None = None
    """Kinds of packets that are traced (spike, error, gradient, weight, host)."""
    vertices: list[Annotated[int, Field(ge=0)]] | None = None
    """Source vertices whose packets are traced."""
    channels: list[Annotated[int, Field(ge=0)]] | None = None
    """Channels whose grants and windows are traced."""
    window_us: Positive | None = None
    """Length of the windows of channels and power [us]; without it each batch is one."""
    membrane: list[str] | None = None
    """Neurons whose membrane and adjoint are traced: VERTEX, VERTEX:NEURON, VERTEX:FIRST-LAST."""
    rows_per_part: Annotated[int, Field(ge=1, le=10**8)] | None = None
    """Rows of a Parquet part."""

    def without_effect(self) -> list[str]:
        """Return a sentence for each setting that is given though nothing is traced."""
        if self.level != "summary":
            return []
        return [
            f"trace.{name}: has no effect at trace.level 'summary', which writes no trace; set "
            "trace.level to 'packets' or 'hops', or leave it out"
            for name in type(self).model_fields
            if name != "level" and getattr(self, name) is not None
        ]


class ExperimentModel(Section):
    """All sections of an experiment. Subclass it to add an experiment's own sections."""

    train: TrainSection
    machine: MachineSection
    mapping: MappingSection
    network: NetworkSection
    tick: TickSection
    trace: TraceSection

    def checks(self) -> list[str]:
        """Return what is wrong between fields, one sentence each; subclasses add theirs."""
        trace = self.trace
        problems = []
        if self.mapping.file is not None and not Path(self.mapping.file).is_file():
            problems.append(
                f"mapping.file: {self.mapping.file!r} is no file; write one with chipsim map "
                "EXPERIMENT --out FILE"
            )
        try:
            us(trace.window_us or 1)
        except UnitError as error:
            problems.append(f"trace.window_us: {error}")
        for name in ("start_ms", "end_ms"):
            try:
                ms(getattr(trace, name) or 0)
            except UnitError as error:
                problems.append(f"trace.{name}: {error}")
        if trace.end_ms is not None and trace.end_ms <= (trace.start_ms or 0):
            problems.append(
                f"trace.end_ms: got {trace.end_ms}, expected a time after trace.start_ms"
            )
        if trace.last_batch is not None and trace.last_batch < (trace.first_batch or 0):
            problems.append(
                f"trace.last_batch: got {trace.last_batch}, expected at least trace.first_batch"
            )
        return problems + trace.without_effect()


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of every value in nested tables."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
