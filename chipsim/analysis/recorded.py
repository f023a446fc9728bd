"""What a run directory holds: its columns as Arrow tables, its summary, experiment and machine."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chipsim.analysis.datasets import (
    column_names,
    dataset_parts,
    iterate,
    read_dataset,
    row_count,
)
from chipsim.analysis.whole import check_copies, check_grants, copies_of
from chipsim.errors import ChipsimError, TraceError, did_you_mean
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.trace.layout import EXPERIMENT, NAMES, PARTS, STATUS, SUMMARY
from chipsim.trace.manifest import check_parts, read_parts
from chipsim.trace.marks import check_mark, difference
from chipsim.trace.names import read_names
from chipsim.trace.schema import OPERATION, SCHEMAS
from chipsim.trace.status import Status, read_status, read_summary
from chipsim.units import PS_PER_S

_LEVEL_OF = {"hops": "hops"}
_NO_LIMITS = ("level", "rows_per_part", "window_us", "membrane")


class Recorded:
    """What a run directory holds; :class:`chipsim.analysis.run.Run` adds the questions.

    Attributes
    ----------
    path : Path
    status : chipsim.trace.status.Status
    summary : dict
        ``summary.json``; empty if the run was killed before it could write one.
    experiment : dict
        ``experiment.toml`` as nested dicts; empty if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked: set[str] = set()
        self.status: Status = read_status(path)
        self.summary: dict[str, Any] = {}
        if self.status.complete or (path / SUMMARY).is_file():
            self.summary = read_summary(path, incomplete=True)
        else:
            self.check_file(SUMMARY)
        self.experiment = _read_experiment(path / EXPERIMENT)
        self._files = read_parts(path)
        self._names = read_names(path)
        self.check_file(PARTS)
        if self._files is not None:
            check_parts(path, self._files, NAMES)

    def __repr__(self) -> str:
        return f"<Run {str(self.path)!r}: {self.status.state}, trace {', '.join(self.datasets)}>"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of figures must know: an incomplete run, a trace of a part of it."""
        notes = []
        if not self.status.complete:
            notes.append(f"incomplete: {self.status.describe()}; figures cover what it wrote")
        notes += self._foreign
        if self._lost:
            notes.append(
                f"{', '.join(SCHEMAS[name].directory for name in self._lost)}: missing, though the "
                f"run was traced at level {self._asked!r}: copy the directory again, or run again"
            )
        if self.status.complete and self.datasets and self._files is None:
            notes.append(f"no {PARTS}: damaged files, and those of another run, may go unnoticed")
        if self._limits() and self.datasets:
            notes.append(f"the trace covers a part of the run only: {', '.join(self._limits())}")
        copies = copies_of(self)
        if self._is_whole and copies is not None and "packets" in self.datasets:
            rows = self.rows("packets")
            if rows < copies:
                notes.append(
                    f"the trace holds {rows:,} of {copies:,} copies: the others had arrived, but "
                    "no program took them before the run ended"
                )
        return tuple(notes)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets that the trace holds."""
        return tuple(n for n, s in SCHEMAS.items() if (self.path / s.directory).is_dir())

    @cached_property
    def packets(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.PACKETS`: one per copy delivered or lost."""
        return self.read("packets")

    @cached_property
    def hops(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.HOPS`: one per grant."""
        return self.read("hops")

    @cached_property
    def ticks(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.TICKS`: one per handler of a PE."""
        return self.read("ticks")

    @cached_property
    def channels(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.CHANNELS`: one per channel and window."""
        return self.read("channels")

    @cached_property
    def spikes(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.SPIKES`: one per spike that was sent."""
        return self.read("spikes")

    @cached_property
    def samples(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.SAMPLES`: one per value that was asked for."""
        return self.read("samples")

    @cached_property
    def annotations(self) -> pa.Table:
        """All rows of :data:`chipsim.trace.schema.ANNOTATIONS`: one per named stretch of time."""
        return self.read("annotations")

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """The operations whose cycles ``ticks`` tells, in columns ``cycles_OPERATION``."""
        schema = SCHEMAS["ticks"]
        known = column_names(dataset_parts(self.path, schema), schema)
        return tuple(n.removeprefix(OPERATION) for n in known if n.startswith(OPERATION))

    @property
    def vertices(self) -> list[dict[str, Any]]:
        """Name, endpoint and place of every vertex, in the order of their numbers."""
        return self._names["vertices"]

    @property
    def nets(self) -> list[dict[str, Any]]:
        """Name, kind and source of every net, in the order of their numbers."""
        return self._names["nets"]

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return some columns of a data set; long traces need not be in memory as a whole.

        Parameters
        ----------
        name : str
            One of :data:`chipsim.trace.schema.SCHEMAS`.
        columns : sequence of str, optional
            All, if not given.

        Raises
        ------
        TraceError
            If the run was traced at a level that does not write this data set, or what is there
            is broken, incomplete though the run is not, of another program or version.
        """
        self._check_known(name)
        table = read_dataset(self.path, SCHEMAS[name], columns)
        self._check_whole(name)
        return table

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of a data set, a part at a time: long traces stay out of memory.

        Raises
        ------
        TraceError
            As :meth:`read`.
        """
        self._check_known(name)
        self._check_whole(name)
        return iterate(self.path, SCHEMAS[name], columns)

    def rows(self, name: str) -> int:
        """Return how many rows a data set has, without reading them."""
        self._check_known(name)
        return row_count(self.path, SCHEMAS[name])

    def check_file(self, name: str) -> None:
        """Refuse one of :data:`chipsim.trace.marks.MARKED` that the run has not written so.

        Raises
        ------
        TraceError
        """
        check_mark(self.path, name, self.status.marks)

    @property
    def _foreign(self) -> list[str]:
        """What is to be said of settings that are not those of the run, or may not be.

        They are no error: who has moved a machine's description writes its new place into them.
        """
        if self.status.complete and self.status.marks is None:
            return [
                f"{STATUS} has no checksums (a run of an earlier chipsim): a summary, settings or "
                "metrics of another run may go unnoticed"
            ]
        found = difference(self.path, EXPERIMENT, self.status.marks)
        return [f"{found}; settings and names are those of the file"] if found else []

    def _check_known(self, name: str) -> None:
        if name not in SCHEMAS:
            known = ", ".join(SCHEMAS)
            raise TraceError(
                f"no data set {name!r}{did_you_mean(name, SCHEMAS)}; there are {known}"
            )
        if not (self.path / SCHEMAS[name].directory).is_dir():
            raise TraceError(
                f"{self.path}: no {SCHEMAS[name].directory} in it: {self.why_not(name)}"
            )

    def why_not(self, name: str) -> str:
        """Return why the trace has no data set of that name, and what to do about it."""
        if name in self._lost:
            return (
                f"it is missing, though the run was traced at level {self._asked!r}; copy the "
                "directory again, or run again"
            )
        return (
            f"the run was traced at level {self.level!r}; run again with --set trace.level="
            f"{_LEVEL_OF.get(name, 'packets')}"
        )

    def _check_whole(self, name: str) -> None:
        if name in self._checked:
            return
        if self._is_whole and name == "packets":
            check_copies(self, self.rows(name))
        elif self._is_whole and name == "hops":
            check_grants(self, self.rows(name))
        if self._files is not None:
            self.rows(name)  # says more of parts that are cut off, or of another version
            check_parts(self.path, self._files, SCHEMAS[name].directory)
        self._checked.add(name)

    @property
    def _asked(self) -> str:
        """The level that the experiment asked for."""
        return str(self.experiment.get("trace", {}).get("level", "summary"))

    @property
    def _lost(self) -> list[str]:
        """The data sets that a run of that level has written, and that are not there.

        None where there is no data set at all: the run may have ended before it wrote any.
        """
        if not self.datasets:
            return []
        wanted = {"summary": (), "packets": set(SCHEMAS) - {"hops"}}.get(self._asked, SCHEMAS)
        return [name for name in SCHEMAS if name in wanted and name not in self.datasets]

    @property
    def level(self) -> str:
        """Level of the trace, as its data sets show."""
        found = self.datasets
        return "hops" if "hops" in found else "packets" if found else "summary"

    @property
    def span_ps(self) -> int:
        """Chip time that was traced [ps]: up to the run's end, if the summary tells it."""
        if "simulated_s" in self.summary:
            return round(float(self.summary["simulated_s"]) * PS_PER_S)
        times = (("packets", "ended_ps"), ("ticks", "done_ps"))
        ends = [pc.max(t[0]) for n, c in times if n in self.datasets for t in self.parts(n, [c])]
        return max((int(end.as_py()) for end in ends if end.is_valid), default=0)

    @cached_property
    def handled_ps(self) -> int:
        """Chip time that the handlers in ``ticks`` cover [ps].

        Of a whole trace the run's; else from the first handler's start to the last one's end: a
        killed run's data sets do not reach equally far, and a window starts where it likes.
        """
        if self._is_whole:
            return self.span_ps
        ends = [
            (pc.min(part["start_ps"]).as_py(), pc.max(part["done_ps"]).as_py())
            for part in self.parts("ticks", ["start_ps", "done_ps"])
            if part.num_rows
        ]
        return max(end for _, end in ends) - min(start for start, _ in ends) if ends else 0

    @cached_property
    def machine(self) -> Machine:
        """The machine that the run was made on, from ``experiment.toml``.

        Raises
        ------
        TraceError
            If the experiment does not say which, or it can no longer be read (a description file
            that has been moved).
        """
        section = dict(self.experiment.get("machine", {}))
        name = section.pop("name", None)
        if not isinstance(name, str):
            raise TraceError(
                f"{self.path / EXPERIMENT}: no [machine] name in it, so channels and PEs cannot "
                "be named; put the experiment's file back"
            )
        try:
            return load_machine(name, dict(_flatten(section)))
        except ChipsimError as error:
            raise TraceError(
                f"{self.path / EXPERIMENT}: the run's machine cannot be read: {error}"
            ) from error

    def _limits(self) -> list[str]:
        """Return the settings that made the trace one of a part of the run."""
        section = self.experiment.get("trace", {})
        return [f"{k} = {v}" for k, v in section.items() if k not in _NO_LIMITS]

    @property
    def _is_whole(self) -> bool:
        return self.status.complete and not self._limits()


def _read_experiment(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TraceError(
            f"{path}: cannot be read: {error}; the file is broken: run again"
        ) from error


def _flatten(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in section.items():
        if isinstance(value, dict):
            found += _flatten(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
