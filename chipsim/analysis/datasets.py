"""Reads one data set of a run's trace, or says why it cannot be trusted.

Parts are closed files numbered from 0 without gaps, so a missing, cut or foreign one is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chipsim.errors import TraceError, did_you_mean
from chipsim.trace.schema import OPERATION, TICKS, VERSION, TraceSchema


def dataset_parts(run: Path, schema: TraceSchema) -> list[Path]:
    """Return the parts of a data set in order, checked by name.

    Raises
    ------
    TraceError
        If a part is missing between others, or the directory holds what chipsim did not write.
    """
    directory = run / schema.directory
    found = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    wanted = [f"part-{number:06d}.parquet" for number in range(len(found))]
    for entry, name in zip(found, wanted, strict=True):
        if entry.name == name:
            continue
        if entry.name.startswith("part-") and entry.suffix == ".parquet":
            raise TraceError(
                f"{directory}: {name} is missing, the next one is {entry.name}; a trace with a gap "
                "would give wrong figures: copy the directory again, or run again"
            )
        raise TraceError(
            f"{directory}: got {entry.name}, which chipsim did not write; expected {name}; move "
            "the file elsewhere"
        )
    return found


def read_dataset(run: Path, schema: TraceSchema, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a data set, or some of its columns, in the order of its rows.

    Raises
    ------
    TraceError
        As :func:`dataset_parts`; and for a part that is cut off, no Parquet file, of another data
        set or of another version, and for a column that there is not.
    """
    parts = dataset_parts(run, schema)
    known = column_names(parts, schema)
    for name in columns or ():
        if name not in known:
            raise TraceError(
                f"{schema.name}: no column {name!r}{did_you_mean(name, known)}; "
                f"there are {', '.join(known)}"
            )
    wanted = list(known if columns is None else columns)
    return pa.concat_tables(iterate(run, schema, wanted)).unify_dictionaries()


def iterate(run: Path, schema: TraceSchema, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of a data set, a part at a time; one empty table if there is no part.

    Raises
    ------
    TraceError
        As :func:`read_dataset`, but for columns that there are not.
    """
    parts = dataset_parts(run, schema)
    for path in parts:
        yield read_part(path, schema, list(columns))
    if not parts:
        yield schema.arrow().empty_table().select(list(columns))


def row_count(run: Path, schema: TraceSchema) -> int:
    """Return the rows of a data set, as the ends of its parts' files tell.

    Raises
    ------
    TraceError
        As :func:`read_dataset`.
    """
    return sum(_open(path, schema).metadata.num_rows for path in dataset_parts(run, schema))


def column_names(parts: Sequence[Path], schema: TraceSchema) -> tuple[str, ...]:
    """Return the columns of a data set: its schema's, and those that only the run knows.

    Raises
    ------
    TraceError
        As :func:`read_part`, of the first part.
    """
    if not parts:
        return schema.names
    extra = [n for n in _open(parts[0], schema).schema_arrow.names if n.startswith(OPERATION)]
    return (*schema.names, *(extra if schema.name == TICKS.name else ()))


def read_part(path: Path, schema: TraceSchema, columns: list[str]) -> pa.Table:
    """Return some columns of one part.

    Raises
    ------
    TraceError
        If it is cut off, no Parquet file, of another data set or of another version.
    """
    part = _open(path, schema)
    try:
        return part.read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from error


def _open(path: Path, schema: TraceSchema) -> pq.ParquetFile:
    try:
        part = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from error
    _check_version(path, schema, part.schema_arrow)
    return part


def _broken(path: Path, error: Exception) -> TraceError:
    reason = str(error).splitlines()[0]
    return TraceError(
        f"{path}: cannot be read: {reason}; the part is broken or cut off: copy the run again, "
        "or run again"
    )


def _check_version(path: Path, schema: TraceSchema, got: pa.Schema) -> None:
    mark = (got.metadata or {}).get(b"chipsim", b"").decode(errors="replace")
    expected = f"{schema.name}/{VERSION}"
    if mark != expected:
        what = f"the data set {mark!r}" if mark else "a file of another program"
        raise TraceError(
            f"{path}: got {what}, this chipsim reads {expected!r}; "
            "read it with the version that wrote it, or run again"
        )
    missing = [name for name in schema.names if name not in got.names]
    if missing:
        raise TraceError(f"{path}: the columns {', '.join(missing)} are missing; run again")
