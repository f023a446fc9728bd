"""A run's directory, as the run writes it."""

from __future__ import annotations

import csv
import io
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from numpy.typing import NDArray

from chipsim.errors import TraceError
from chipsim.trace import toml
from chipsim.trace.files import npz_bytes, summary_bytes, write_file
from chipsim.trace.layout import (
    CHECKPOINT,
    EXPERIMENT,
    LOCK,
    METRICS,
    OURS,
    STATUS,
    SUMMARY,
    WEIGHTS,
)
from chipsim.trace.marks import marks_of
from chipsim.trace.status import State, lock, read_status, write_status


class RunDirectory:
    """Writes a run's directory. Use :meth:`create`, then as a context manager.

    Leaving the ``with`` block by an exception marks the run as interrupted (Ctrl-C) or failed;
    leaving it without :meth:`finish` marks it as interrupted too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = lock(path)
        self._metrics: IO[str] | None = None
        self._metric_names: tuple[str, ...] = ()
        self.resumes = False
        """Whether an earlier run here goes on from its checkpoint."""
        write_status(path, "running")

    @classmethod
    def create(cls, path: str | Path, *, force: bool = False) -> RunDirectory:
        """Make the directory, or take an empty one.

        Parameters
        ----------
        path : str or Path
        force : bool
            Replace an earlier run that is not going on any more; only its own files are removed.

        Raises
        ------
        TraceError
            If the path is a file, cannot be made, holds a run (without ``force``), a run that is
            still going on, or anything that chipsim did not write.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TraceError(
                f"{path}: cannot make the run directory: {error.strerror}; give another --out"
            ) from error
        if any(path.iterdir()):
            _make_room(path, force)
        return cls(path)

    @classmethod
    def resume(cls, path: str | Path) -> RunDirectory:
        """Take the directory of a run that was killed, interrupted or failed, to go on with it.

        Without a checkpoint in it, the run begins anew there.

        Raises
        ------
        TraceError
            If there is no run, or it is finished or still going on.
        """
        path = Path(path)
        status = read_status(path)
        if status.complete or status.alive:
            raise TraceError(
                f"{path}: {status.describe()}, so there is nothing to resume; read it with "
                "`chipsim inspect`, or start another run with another --out"
            )
        if not (path / CHECKPOINT).is_file():
            return cls.create(path, force=True)
        found = cls(path)
        found.resumes = True
        return found

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint is."""
        return self.path / CHECKPOINT

    def write_checkpoint(self, data: bytes) -> None:
        """Put a checkpoint in the place of the last one, at once."""
        write_file(self.checkpoint, data)

    def metrics_text(self) -> str:
        """Return ``metrics.csv`` as it stands, for a checkpoint."""
        path = self.path / METRICS
        return "" if self._metrics is None else path.read_text(encoding="utf-8")

    def restore_metrics(self, text: str) -> None:
        """Put ``metrics.csv`` back to what it was, to go on from there."""
        if not text:
            return
        self._metrics = (self.path / METRICS).open("w", newline="", encoding="utf-8")
        self._metrics.write(text)
        self._metrics.flush()
        self._metric_names = tuple(next(csv.reader(io.StringIO(text))))

    def check_experiment(self, values: Mapping[str, Any]) -> None:
        """Refuse to go on with other settings than the run began with.

        Raises
        ------
        TraceError
            Naming the settings that differ.
        """
        path = self.path / EXPERIMENT
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TraceError(f"{path}: cannot be read: {error}; start the run anew") from error
        own = tomllib.loads(toml.dumps(values))
        other = sorted(_differences(found, own))
        if other:
            raise TraceError(
                f"{self.path}: the run began with other settings: {'; '.join(other)}; give the "
                f"same ones (chipsim run {path} --out {self.path} --resume)"
            )

    def write_experiment(
        self, values: Mapping[str, Any], comments: Mapping[str, str] | None = None
    ) -> None:
        """Write the resolved experiment, which ``chipsim run`` takes again."""
        write_file(self.path / EXPERIMENT, toml.dumps(values, comments).encode())

    def append_metrics(self, row: Mapping[str, int | float | str]) -> None:
        """Append one row (an epoch) to ``metrics.csv``; the first row names the columns.

        Raises
        ------
        TraceError
            If a later row has other columns.
        """
        if self._metrics is None:
            self._metrics = (self.path / METRICS).open("w", newline="", encoding="utf-8")
            self._metric_names = tuple(row)
            csv.writer(self._metrics, lineterminator="\n").writerow(row)
        if tuple(row) != self._metric_names:
            raise TraceError(
                f"{self.path / METRICS}: got the columns {', '.join(row)}, expected those of the "
                f"first row: {', '.join(self._metric_names)}"
            )
        csv.writer(self._metrics, lineterminator="\n").writerow(map(_plain, row.values()))
        self._metrics.flush()

    def write_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Write named arrays to ``weights.npz``; equal arrays give equal bytes."""
        write_file(self.path / WEIGHTS, npz_bytes(weights))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary and mark the run as finished."""
        write_file(self.path / SUMMARY, summary_bytes(summary))
        self.checkpoint.unlink(missing_ok=True)
        self._end("finished")

    def interrupt(self, reason: str, summary: Mapping[str, Any] | None = None) -> None:
        """Mark the run as interrupted, with what is known so far as its summary."""
        if summary is not None:
            write_file(self.path / SUMMARY, summary_bytes(summary))
        self._end("interrupted", reason)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is None:
            return
        if error is None:
            self._end("interrupted", "it ended without a summary")
        elif isinstance(error, KeyboardInterrupt):
            self._end("interrupted", "Ctrl-C")
        else:
            self._end("failed", f"{type(error).__name__}: {error}")

    def _end(self, state: State, reason: str = "") -> None:
        if self._metrics is not None:
            self._metrics.close()
        write_status(self.path, state, reason, marks_of(self.path))
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _make_room(path: Path, force: bool) -> None:
    found = sorted(entry.name for entry in path.iterdir())
    foreign = [name for name in found if name not in OURS]
    if STATUS not in found or foreign:
        shown = ", ".join((foreign or found)[:3])
        raise TraceError(
            f"{path}: the directory is not empty and holds what no run has written ({shown}); "
            "give a new directory with --out"
        )
    status = read_status(path)
    if status.alive:
        raise TraceError(f"{path}: {status.describe()} in another process; give another --out")
    if not force:
        raise TraceError(
            f"{path}: holds an earlier run ({status.describe()}); give another --out, or --force "
            "to replace it"
        )
    for name in found:
        entry = path / name
        if entry.is_dir():
            shutil.rmtree(entry)
        elif name != LOCK:
            entry.unlink()


def _differences(found: Mapping[str, Any], own: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return a clause for every setting that is not the same in two experiments."""
    lines: list[str] = []
    for name in dict.fromkeys([*found, *own]):
        old, new = found.get(name), own.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name} = {old!r} (now {new!r})")
    return lines


def _plain(value: int | float | str) -> str:
    """Return a number in the shortest form that reads back equal."""
    return repr(value) if isinstance(value, float) else str(value)
