from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipsim.errors import TraceError
from chipsim.trace import parts as parts_module
from chipsim.trace import writer as writer_module
from chipsim.trace.schema import CHANNELS, PACKETS, SCHEMAS, VERSION
from chipsim.trace.writer import DatasetWriter
from tests.trace.columns import LABELS, in_order, packet_rows, select


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def write(directory: Path, rows: dict, rows_per_part: int = 7) -> DatasetWriter:
    writer = DatasetWriter(directory, PACKETS, LABELS, rows_per_part)
    writer.append(rows)
    writer.close()
    return writer


def test_rows_are_sorted_over_all_parts_and_read_back_equal(tmp_path: Path) -> None:
    rows = packet_rows(200)
    write(tmp_path / "p", rows)
    table = pq.read_table(tmp_path / "p")
    assert table.to_pylist() == in_order(rows)
    sizes = [pq.ParquetFile(path).metadata.num_rows for path in sorted((tmp_path / "p").iterdir())]
    assert sizes == [7] * 28 + [4]


@given(
    count=st.integers(0, 60),
    seed=st.integers(0, 5),
    chunks=st.integers(1, 8),
    sort_at=st.sampled_from([1, 5, 1000]),
)
def test_bytes_do_not_depend_on_how_rows_come(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int, chunks: int, sort_at: int
) -> None:
    base = tmp_path_factory.mktemp("w")
    rows = packet_rows(count, seed)
    write(base / "whole", rows)
    # As a simulation does: what ends in an interval comes in it, in any order, then a watermark.
    edges = np.linspace(0, 110, chunks + 1).astype(int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "_SORT_AT", sort_at)
        writer = DatasetWriter(base / "parts", PACKETS, LABELS, 7)
        for low, high in pairwise(edges):
            inside = np.flatnonzero((rows["ended_ps"] >= low) & (rows["ended_ps"] < high))
            for half in (inside[::-2], inside[-2::-2]):
                writer.append(select(rows, half))
                writer.flush(int(low))
            writer.flush(int(high))
        writer.close()
    assert writer.rows == count
    assert files(base / "parts") == files(base / "whole")


def test_memory_is_bounded_by_a_part_and_what_the_watermark_holds_back(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "p", PACKETS, LABELS, 50_000)
    most = 0
    for step in range(30):
        rows = packet_rows(20_000, step)
        rows["ended_ps"] += 200 * step
        writer.append(rows)
        writer.flush(200 * (step + 1))
        most = max(most, writer.rows_held)
    assert writer.parts >= 10  # it wrote while rows came
    assert most < 50_000 + writer_module._SORT_AT + 20_000
    writer.close()
    assert writer.rows_held == 0
    assert pq.read_table(tmp_path / "p").num_rows == 600_000


def test_a_standing_watermark_loses_nothing(tmp_path: Path) -> None:
    """One packet that stays in an inbox for long holds everything back, and order stays whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "_SORT_AT", 10)
        writer = DatasetWriter(tmp_path / "p", PACKETS, LABELS, 7)
        chunks = []
        for step in range(10):
            rows = packet_rows(9, step)
            rows["ended_ps"] += 100 * step + 5
            rows["packet_seq"] += 100 * step
            writer.append(rows)
            writer.flush(3)
            chunks.append(rows)
        assert writer.parts == 0
        writer.close()
    joined = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    assert pq.read_table(tmp_path / "p").to_pylist() == in_order(joined)


def test_an_empty_data_set_has_its_columns(tmp_path: Path) -> None:
    DatasetWriter(tmp_path / "p", PACKETS, LABELS).close()
    table = pq.read_table(tmp_path / "p")
    assert table.num_rows == 0
    assert table.schema.equals(PACKETS.arrow(), check_metadata=True)


NAMED = dict.fromkeys(("quantity", "part", "what", "name"), ("one",))


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_every_column_is_documented_in_the_file(tmp_path: Path, schema: object) -> None:
    DatasetWriter(tmp_path / "p", schema, {**LABELS, **NAMED}).close()
    read = pq.read_schema(tmp_path / "p" / "part-000000.parquet")
    assert read.metadata[b"chipsim"] == f"{schema.name}/{VERSION}".encode()
    for field in read:
        assert field.metadata[b"doc"], field.name
        unit = {"_ps": b"ps", "_mw": b"mW"}.get(field.name[-3:], b"")
        assert field.metadata[b"unit"] == unit, field.name
    assert set(schema.order) | set(schema.delta) <= set(read.names)


def test_parts_declare_their_order_and_compression(tmp_path: Path) -> None:
    write(tmp_path / "p", packet_rows(5))
    group = pq.ParquetFile(tmp_path / "p" / "part-000000.parquet").metadata.row_group(0)
    order = [group.column(c.column_index).path_in_schema for c in group.sorting_columns]
    assert tuple(order) == PACKETS.order
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}
    times = next(
        group.column(i)
        for i in range(group.num_columns)
        if group.column(i).path_in_schema == "ended_ps"
    )
    assert "DELTA_BINARY_PACKED" in times.encodings


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.trace.columns import LABELS, packet_rows
from chipsim.trace import parts as parts_module
from chipsim.trace import writer as writer_module
from chipsim.trace.schema import PACKETS
writer_module._SORT_AT = 1
writer = writer_module.DatasetWriter(Path(sys.argv[1]), PACKETS, LABELS, 7)
for step in range(5):
    rows = packet_rows(10, step)
    rows["ended_ps"] += 100 * step
    writer.append(rows)
    writer.flush(100 * step)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
writer.close()
"""


def test_a_killed_run_leaves_a_prefix_of_whole_parts(tmp_path: Path) -> None:
    """And neither the kill nor another hash seed changes a byte of what is there."""
    ends = {}
    for how, hash_seed in (("kill", "1"), ("close", "2")):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, tmp_path / how, how],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            check=False,
        )
        ends[how] = done.returncode
    assert ends == {"kill": -signal.SIGKILL, "close": 0}
    killed, whole = files(tmp_path / "kill"), files(tmp_path / "close")
    assert len(whole) == 8
    assert 3 <= len(killed) < len(whole)
    assert killed == dict(list(whole.items())[: len(killed)])
    assert pq.read_table(tmp_path / "kill").num_rows == 7 * len(killed)


def test_a_half_written_part_is_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **keywords: object) -> None:
        raise OSError(28, "No space left on device")

    writer = DatasetWriter(tmp_path / "p", PACKETS, LABELS, 7)
    writer.append(packet_rows(7))
    monkeypatch.setattr(parts_module.pq, "write_table", full)
    with pytest.raises(TraceError, match=r"part-000000\.parquet: cannot write .* No space left"):
        writer.close()
    assert not list((tmp_path / "p").glob("part-*"))


def test_bad_rows_are_refused(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "p", PACKETS, LABELS)
    rows = packet_rows(3)
    writer.flush(10)
    rows["ended_ps"][:] = [50, 9, 50]
    with pytest.raises(TraceError, match=r"row at 9 ps after the watermark 10 ps"):
        writer.append(rows)
    with pytest.raises(TraceError, match=r"missing late"):
        writer.append({name: column for name, column in rows.items() if name != "late"})
    with pytest.raises(TraceError, match=r"unknown column 'hop'; did you mean 'hops'\?"):
        writer.append({**rows, "hop": rows["hops"]})
    with pytest.raises(TraceError, match=r"hops is int64, expected int32"):
        writer.append({**rows, "hops": rows["hops"].astype(np.int64)})
    with pytest.raises(TraceError, match=r"columns of \[2, 3\] rows"):
        writer.append({**rows, "hops": rows["hops"][:2]})
    writer.close()
    writer.close()
    with pytest.raises(TraceError, match=r"is closed"):
        writer.append(packet_rows(1))


def test_bad_directories_and_sizes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "p", packet_rows(1))
    with pytest.raises(TraceError, match=r"expected an empty directory"):
        DatasetWriter(tmp_path / "p", PACKETS, LABELS)
    with pytest.raises(TraceError, match=r"got 0 rows a part"):
        DatasetWriter(tmp_path / "q", CHANNELS, rows_per_part=0)
    with pytest.raises(TraceError, match=r"no names given for the codes of kind, outcome, phase"):
        DatasetWriter(tmp_path / "q", PACKETS)
