"""Whether a run came to its end, and what its summary says.

``status.json`` says ``running``, ``finished``, ``interrupted`` or ``failed``. A run that was killed
still says ``running``, but no longer holds the lock on ``.lock``; readers are told that the run is
incomplete either way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

from chipsim.errors import TraceError
from chipsim.trace.files import read_json, write_file
from chipsim.trace.layout import FORMAT, LOCK, OURS, STATUS, SUMMARY
from chipsim.trace.marks import Mark, check_mark

State = Literal["running", "finished", "interrupted", "failed"]


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
    marks : dict or None
        Length and checksum of the run's small files (:mod:`chipsim.trace.marks`), by name; None of
        a run that did not come to an end of any kind, or of an earlier chipsim.
    """

    state: State
    reason: str = ""
    alive: bool = False
    marks: dict[str, Mark] | None = None

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


def write_status(
    directory: Path, state: State, reason: str = "", marks: Mapping[str, Mark] | None = None
) -> None:
    """Say how far a run is, and which files it has written."""
    value: dict[str, Any] = {"format": FORMAT, "state": state, "reason": reason}
    if marks is not None:
        value["files"] = marks
    write_file(directory / STATUS, json.dumps(value, indent=2).encode() + b"\n")


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
    status = read_json(path / STATUS)
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
    marks = status.get("files")
    if marks is not None and not _are_marks(marks):
        raise TraceError(
            f"{path / STATUS}: files: got {json.dumps(marks)[:60]}, expected a length and a "
            "checksum for each file by name; the file is broken: run again"
        )
    reason = str(status.get("reason", ""))
    return Status(cast(State, state), reason, alive=_is_locked(path), marks=marks)


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
        summary is missing, broken, or not the one that it has written.
    """
    path = Path(directory)
    status = read_status(path)
    summary = path / SUMMARY
    if not status.complete and not (incomplete and summary.is_file()):
        files = [name for name in sorted(OURS) if (path / name).exists() and name[0] != "."]
        raise TraceError(
            f"{path}: incomplete: {status.describe()}; there is "
            f"{'only a partial' if summary.is_file() else 'no'} summary, and what it wrote until "
            f"then: {', '.join(files)}"
        )
    if not summary.is_file():
        raise TraceError(f"{summary}: missing, though the run finished; run again")
    check_mark(path, SUMMARY, status.marks)
    return read_json(summary)


def lock(path: Path) -> IO[bytes] | None:
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


def _are_marks(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(mark, dict) for mark in value.values())


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
