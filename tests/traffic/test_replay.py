from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import TraceError
from chipsim.machine.library import load_machine
from chipsim.network.traffic import Replay, Request, prepare
from chipsim.trace.schema import OUTCOMES, PACKETS
from chipsim.trace.writer import DatasetWriter
from chipsim.units import FOREVER

MESH = load_machine("mesh-4x1")


def csv(path: Path, text: str) -> Path:
    file = path / "trace.csv"
    file.write_text(text)
    return file


def packets(replay: Replay) -> list[tuple[int, int, tuple[int, ...]]]:
    return [
        (t, *replay.ends(f))
        for time_ps, flow in replay.blocks()
        for t, f in zip(time_ps.tolist(), flow.tolist(), strict=True)
    ]


def test_rows_are_packets_by_time(tmp_path: Path) -> None:
    file = csv(tmp_path, "time_ps,source,destination\n500,3,0\n100,0,3\n100,0,3\n300,1,1\n")
    replay = Replay(file, MESH)
    assert packets(replay) == [(100, 0, (3,)), (100, 0, (3,)), (300, 1, (1,)), (500, 3, (0,))]
    assert (replay.nodes, replay.flows, replay.last_ps) == (4, 3, 500)


def test_rows_of_one_packet_are_its_copies(tmp_path: Path) -> None:
    rows = "100,0,3,7\n100,0,1,7\n100,1,2,7\n100,0,2,8\n200,0,1,7\n200,0,3,7\n"
    file = csv(tmp_path, "time_ps,source,destination,packet\n" + rows)
    assert packets(Replay(file, MESH)) == [
        (100, 0, (1, 3)),
        (100, 0, (2,)),
        (100, 1, (2,)),
        (200, 0, (1, 3)),
    ]


def record(where: Path) -> None:
    """Write a recorded run: packet 0 of vertex 5 with two copies, packet 1 with one."""
    rows = {name: np.zeros(3, dtype=dtype) for name, dtype in PACKETS.dtypes().items()}
    rows["packet_source"][:] = 5
    rows["packet_seq"][:] = [0, 1, 0]
    rows["source"][:] = 1
    rows["destination"][:] = [3, 0, 2]
    rows["injected_ps"][:] = [1000, 1500, 1000]
    rows["ended_ps"][:] = [2000, 2500, 9000]
    labels = {"kind": ("spike",), "phase": ("-",), "outcome": OUTCOMES}
    writer = DatasetWriter(where / "packets.parquet", PACKETS, labels)
    writer.append(rows)
    writer.flush(FOREVER)
    writer.close()


def test_a_recorded_run_is_replayed(tmp_path: Path, network: str) -> None:
    record(tmp_path)
    for path in (tmp_path, tmp_path / "packets.parquet"):
        assert packets(Replay(path, MESH)) == [(1000, 1, (2, 3)), (1500, 1, (0,))]
    found = prepare(Request("mesh-4x1", f"replay:{tmp_path}", network=network)).run()
    assert (found.cycles, found.warmup_cycles, found.rate) == (2, 0, None)
    assert found.packets_delivered == 3
    # 1 -> 2 in two cycles, 1 -> 3 in three; 1 -> 0 in two after half a cycle behind the first.
    assert found.mean_latency_cycles == 2.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_ps,source\n1,2\n", "has no column destination; it has time_ps, source"),
        ("time_ps,source,destination\n", "holds no packet"),
        ("time_ps,source,destination\n1.5,0,1\n", "column time_ps is double"),
        ("time_ps,source,destination\n1,0,\n", "column destination is null"),
        ("time_ps,source,destination\n-1,0,1\n", "time_ps: 1 rows are off mesh-4x1: -1 in row 1"),
        (
            "time_ps,source,destination\n1,0,1\n1,9,1\n1,4,1\n",
            "source: 2 rows are off mesh-4x1: 9 in row 2, 4 in row 3; expected 0..3",
        ),
        ("time_ps,source,destination\n1,0,4\n", "destination: 1 rows are off mesh-4x1: 4 in row 1"),
        ("time_ps,source,destination\n1,0\n", "cannot be read"),
    ],
)
def test_traces_that_cannot_be_replayed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TraceError, match=re.escape(message)):
        Replay(csv(tmp_path, text), MESH)


def test_a_trace_that_is_not_there(tmp_path: Path) -> None:
    for name in ("nothing", "nothing.csv"):
        with pytest.raises(TraceError, match="does not exist; expected a run directory"):
            Replay(tmp_path / name, MESH)
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(TraceError, match="cannot be read"):
        Replay(tmp_path / "x.parquet", MESH)
