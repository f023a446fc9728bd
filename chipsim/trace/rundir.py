"""A run's directory: what is in it, and whether the run came to its end.

``status.json`` says ``running``, ``finished``, ``interrupted`` or ``failed``. A run that was killed
still says ``running``, but no longer holds the lock on ``.lock``; readers are told that the run is
incomplete either way.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError
from chipsim.trace import toml
from chipsim.trace.schema import SCHEMAS

State = Literal["running", "finished", "interrupted", "failed"]

FORMAT = "chipsim-run/1"
"""Version of the directory's layout."""

STATUS, LOCK, SUMMARY = "status.json", ".lock", "summary.json"
EXPERIMENT, METRICS, WEIGHTS = "experiment.toml", "metrics.csv", "weights.npz"
REPORT = "report.html"
NAMES, NAMES_FORMAT = "vertices.json", "chipsim-names/1"
CHECKPOINT = "checkpoint.npz"
_OTHERS = ("provenance.sqlite3", REPORT, CHECKPOINT)
_OURS = frozenset(
    {STATUS, LOCK, SUMMARY, NAMES, EXPERIMENT, METRICS, WEIGHTS, *_OTHERS}
    | {schema.directory for schema in SCHEMAS.values()}
)


@dataclass(frozen=True)
class Status:
    """How far a run came.

    Attributes
    ----------
    state : {"running", "finished", "interrupted", "failed"}
    reason : str
        Why it did not finish; empty otherwise.
    alive : bool
        Whether a process is still at it.
    """

    state: State
    reason: str = ""
    alive: bool = False

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self.state == "finished"

    def describe(self) -> str:
        """Return one clause about it, for messages."""
        if self.state == "running":
            return "the run is still going on" if self.alive else "the run was killed"
        reason = f": {self.reason}" if self.reason else ""
        return f"the run {'was ' if self.state == 'interrupted' else ''}{self.state}{reason}"


class RunDirectory:
    """Writes a run's directory. Use :meth:`create`, then as a context manager.

    Leaving the ``with`` block by an exception marks the run as interrupted (Ctrl-C) or failed;
    leaving it without :meth:`finish` marks it as interrupted too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)
        self._metrics: IO[str] | None = None
        self._metric_names: tuple[str, ...] = ()
        self.resumes = False
        """Whether an earlier run here goes on from its checkpoint."""
        self._set_status("running")

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
        _write(self.checkpoint, data)

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
        _write(self.path / EXPERIMENT, toml.dumps(values, comments).encode())

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
        _write(self.path / WEIGHTS, npz_bytes(weights))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary and mark the run as finished."""
        _write(self.path / SUMMARY, summary_bytes(summary))
        self.checkpoint.unlink(missing_ok=True)
        self._end("finished")

    def interrupt(self, reason: str, summary: Mapping[str, Any] | None = None) -> None:
        """Mark the run as interrupted, with what is known so far as its summary."""
        if summary is not None:
            _write(self.path / SUMMARY, summary_bytes(summary))
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
        self._set_status(state, reason)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _set_status(self, state: State, reason: str = "") -> None:
        text = json.dumps({"format": FORMAT, "state": state, "reason": reason}, indent=2)
        _write(self.path / STATUS, text.encode() + b"\n")


def read_status(directory: str | Path) -> Status:
    """Return how far the run in ``directory`` came.

    Raises
    ------
    TraceError
        If the directory is missing, is no run directory, is of a later version, or its status is
        broken.
    """
    path = Path(directory)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise TraceError(f"{path}: {what}; expected the directory of a run (chipsim run --out)")
    if not (path / STATUS).is_file():
        raise TraceError(
            f"{path}: no {STATUS} in it, so this is no run directory; "
            "give the directory that chipsim run --out has written"
        )
    status = _read_json(path / STATUS)
    found, state = status.get("format"), status.get("state")
    if found != FORMAT:
        raise TraceError(
            f"{path / STATUS}: got format {found!r}, this chipsim reads {FORMAT!r}; "
            "read it with the version that wrote it, or run again"
        )
    if state not in get_args(State):
        raise TraceError(
            f"{path / STATUS}: got state {state!r}, expected one of {', '.join(get_args(State))}; "
            "the file is broken: run again"
        )
    return Status(cast(State, state), str(status.get("reason", "")), alive=_is_locked(path))


def read_summary(directory: str | Path, *, incomplete: bool = False) -> dict[str, Any]:
    """Return the summary of the run in ``directory``.

    Parameters
    ----------
    directory : str or Path
    incomplete : bool
        Take the partial summary of a run that did not finish, too.

    Raises
    ------
    TraceError
        As :func:`read_status`; and if the run did not finish (unless ``incomplete``), or its
        summary is missing or broken.
    """
    path = Path(directory)
    status = read_status(path)
    summary = path / SUMMARY
    if not status.complete and not (incomplete and summary.is_file()):
        files = [name for name in sorted(_OURS) if (path / name).exists() and name[0] != "."]
        raise TraceError(
            f"{path}: incomplete: {status.describe()}; there is "
            f"{'only a partial' if summary.is_file() else 'no'} summary, and what it wrote until "
            f"then: {', '.join(files)}"
        )
    if not summary.is_file():
        raise TraceError(f"{summary}: missing, though the run finished; run again")
    return _read_json(summary)


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return a summary as the bytes of ``summary.json``: sorted, indented, no NaN.

    Raises
    ------
    TraceError
        If a value has no JSON form (a NumPy scalar, a NaN).
    """
    try:
        text = json.dumps(summary, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise TraceError(f"summary: {error}; hand over plain Python values") from error
    return text.encode() + b"\n"


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return named arrays in NumPy's ``.npz`` form, the same bytes for the same arrays.

    Nothing of the host is in it: the time is the ZIP format's first day, and nothing is
    compressed (other versions of zlib give other bytes).
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # else the writing host's system is noted
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(info, data.getvalue())
    return buffer.getvalue()


def write_names(
    directory: str | Path, vertices: list[dict[str, Any]], nets: list[dict[str, Any]]
) -> None:
    """Write ``vertices.json``: the vertices and nets that a trace numbers, in their order."""
    value = {"format": NAMES_FORMAT, "vertices": vertices, "nets": nets}
    _write(Path(directory) / NAMES, json.dumps(value, indent=1, ensure_ascii=False).encode())


def read_names(directory: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Return ``vertices`` and ``nets`` of ``vertices.json``; empty lists if there is no such file.

    Raises
    ------
    TraceError
        If it is broken, or of another version.
    """
    path = Path(directory) / NAMES
    if not path.is_file():
        return {"vertices": [], "nets": []}
    value = _read_json(path)
    if value.get("format") != NAMES_FORMAT:
        raise TraceError(
            f"{path}: got format {value.get('format')!r}, this chipsim reads {NAMES_FORMAT!r}; "
            "read it with the version that wrote it, or run again"
        )
    fields = {"vertices": {"name", "endpoint", "place"}, "nets": {"name", "kind", "source"}}
    for part, wanted in fields.items():
        rows = value.get(part)
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and wanted <= row.keys() for row in rows
        ):
            raise TraceError(
                f"{path}: {part}: expected a list of {', '.join(sorted(wanted))} each; the file is "
                "broken: run again"
            )
    return {part: value[part] for part in fields}


def _make_room(path: Path, force: bool) -> None:
    found = sorted(entry.name for entry in path.iterdir())
    foreign = [name for name in found if name not in _OURS]
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


def _lock(path: Path) -> IO[bytes] | None:
    """Open and lock the lock file; the system lets go of it when the process ends, however."""
    handle = (path / LOCK).open("ab")
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system: a killed run looks like a running one
        pass
    except OSError as error:
        handle.close()
        raise TraceError(
            f"{path}: another process writes a run here; give another --out"
        ) from error
    return handle


def _is_locked(path: Path) -> bool:
    try:
        import fcntl

        with (path / LOCK).open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TraceError(
            f"{path}: cannot be read: {error}; the file is broken: run again"
        ) from error
    if not isinstance(value, dict):
        raise TraceError(f"{path}: got {type(value).__name__}, expected named fields; run again")
    return value


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror}; free some space") from error


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
