"""What is read, and what is said of directories that are broken, foreign, cut off or older."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import chipsim
from chipsim.analysis.run import open_run
from chipsim.errors import TraceError
from chipsim.trace.rundir import RunDirectory
from chipsim.trace.schema import SCHEMAS

from .conftest import at_level, sealed


@pytest.fixture
def copy(directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(directory, tmp_path / "copy"))


def test_columns_are_arrow_tables(directory: Path) -> None:
    run = chipsim.open_run(directory)
    assert run.level == "hops" and run.notes == ()
    assert len(list((directory / "packets.parquet").iterdir())) > 1  # several parts are joined
    for name, schema in SCHEMAS.items():
        table = run.read(name)
        assert isinstance(table, pa.Table)
        operations = [f"cycles_{o}" for o in run.operations] if name == "ticks" else []
        assert table.column_names == [*schema.names, *operations]
        raw = pq.read_table(directory / schema.directory)
        assert table.to_pylist() == raw.to_pylist()
    assert run.read("hops", ["channel"]).column_names == ["channel"]
    assert run.experiment["train"]["batch"] == 11
    assert "finished" in repr(run)


def test_results_are_plain(directory: Path) -> None:
    for row in chipsim.open_run(directory).hottest_channels(3).to_pylist():
        assert {type(value) for value in row.values()} <= {int, float, str, bool}


def test_missing_and_foreign_directories(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="does not exist; expected the directory of a run"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(TraceError, match=r"no status\.json in it, so this is no run directory"):
        open_run(tmp_path)


def test_an_older_directory(copy: Path) -> None:
    (copy / "status.json").write_text('{"format": "chipsim-run/0", "state": "finished"}')
    with pytest.raises(TraceError, match="got format 'chipsim-run/0', this chipsim reads"):
        open_run(copy)


def test_broken_summary_and_experiment(copy: Path) -> None:
    (copy / "experiment.toml").write_text("[machine")
    with pytest.raises(TraceError, match=r"experiment\.toml: cannot be read: .*run again"):
        open_run(copy)
    (copy / "experiment.toml").write_text("[machine]\n")
    with pytest.raises(TraceError, match=r"no \[machine\] name in it"):
        open_run(copy).pe_use()
    (copy / "experiment.toml").write_text('[machine]\nname = "gone.toml"\n')
    with pytest.raises(TraceError, match=r"the run's machine cannot be read: .*gone\.toml"):
        open_run(copy).pe_use()
    (copy / "summary.json").write_text("{")
    with pytest.raises(TraceError, match=r"summary\.json: cannot be read"):
        open_run(copy)


def test_a_part_that_is_cut_off(copy: Path) -> None:
    part = copy / "packets.parquet" / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(TraceError, match=r"part-000001\.parquet: cannot be read: .*cut off"):
        open_run(copy).latency()


def test_a_gap_between_parts(copy: Path) -> None:
    (copy / "packets.parquet" / "part-000001.parquet").unlink()
    with pytest.raises(TraceError, match=r"part-000001\.parquet is missing, the next one is"):
        open_run(copy).latency()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("packets", "the ticks count {taken:,} of these, the summary {packets:,} copies; parts"),
        ("hops", "channels.parquet counts {hops:,}; parts are missing or of another run"),
    ],
)
def test_last_parts_that_are_missing(copy: Path, name: str, says: str) -> None:
    whole = open_run(copy)
    taken = sum(whole.ticks["packets_in"].to_pylist())
    counts = {"packets": whole.packets.num_rows, "hops": whole.hops.num_rows, "taken": taken}
    max((copy / f"{name}.parquet").iterdir()).unlink()
    with pytest.raises(TraceError, match=re.escape(says.format(**counts))):
        open_run(copy).read(name)


def test_foreign_files_among_parts(copy: Path) -> None:
    (copy / "ticks.parquet" / "notes.txt").write_text("mine")
    with pytest.raises(TraceError, match=r"got notes\.txt, which chipsim did not write"):
        open_run(copy).pe_use()


def test_parts_of_another_program_or_version(copy: Path) -> None:
    part = copy / "channels.parquet" / "part-000000.parquet"
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata(None), part)
    with pytest.raises(TraceError, match="got a file of another program, this chipsim reads"):
        open_run(copy).hottest_channels()
    pq.write_table(table.replace_schema_metadata({"chipsim": "channels/1"}), part)
    with pytest.raises(TraceError, match="got the data set 'channels/1', this chipsim reads"):
        open_run(copy).hottest_channels()
    pq.write_table(table.drop_columns(["flits"]), part)
    with pytest.raises(TraceError, match="the columns flits are missing"):
        open_run(copy).hottest_channels()


def test_a_level_that_was_not_traced(copy: Path) -> None:
    at_level(copy, "packets")
    run = open_run(copy)
    assert run.level == "packets" and len(run.slowest(3)) == 3
    for question in (run.where_waited, run.channel_users, run.channel_waits):
        with pytest.raises(TraceError, match="traced at level 'packets'; run again with --set tra"):
            question()
    at_level(copy, "summary")
    with pytest.raises(TraceError, match=r"'summary'; run again with --set trace\.level=packets"):
        open_run(copy).latency()


def test_a_killed_run_is_read_with_a_note(copy: Path, directory: Path) -> None:
    (copy / "status.json").write_text(
        json.dumps({"format": "chipsim-run/1", "state": "running", "reason": ""})
    )
    (copy / "summary.json").unlink()
    (copy / "parts.json").unlink()
    max((copy / "packets.parquet").iterdir()).unlink()
    run = open_run(copy)
    assert run.notes == ("incomplete: the run was killed; figures cover what it wrote",)
    assert run.summary == {}
    rows = run.packets.num_rows
    assert sum(run.latency()["copies"].to_pylist()) == rows < open_run(directory).packets.num_rows
    assert run.span_ps == max(run.packets["ended_ps"][-1].as_py(), run.ticks["done_ps"][-1].as_py())


def test_use_of_pes_is_that_of_the_time_their_handlers_cover(
    copy: Path, directory: Path, tmp_path: Path
) -> None:
    """A killed run's ticks may end long before its packets; a window covers a part."""
    whole = open_run(directory)
    assert whole.handled_ps == whole.span_ps
    (copy / "status.json").write_text(
        json.dumps({"format": "chipsim-run/1", "state": "running", "reason": ""})
    )
    for name in ("summary.json", "parts.json"):
        (copy / name).unlink()
    parts = sorted((copy / "ticks.parquet").iterdir())
    rows = pq.read_table(parts[0]).slice(0, 1000)
    for part in parts[1:]:
        part.unlink()
    pq.write_table(rows, parts[0])
    killed = open_run(copy)
    assert killed.handled_ps == (
        max(rows["done_ps"].to_pylist()) - min(rows["start_ps"].to_pylist())
    )
    assert killed.handled_ps < killed.span_ps / 2
    busy = sum(rows["busy_ps"].to_pylist())
    assert sum(killed.pe_use()["use"].to_pylist()) == pytest.approx(busy / killed.handled_ps)


def test_copies_that_nobody_took_have_rows_as_well(hurried: Path) -> None:
    run = open_run(hurried)
    assert run.packets.num_rows == run.summary["copies_delivered"]
    assert run.notes == ()
    kind = run.packets["kind"].cast("string").to_pylist()
    consumed = run.packets["tick_consumed"].to_pylist()
    never = [k for k, tick in zip(kind, consumed, strict=True) if tick == -1 and k == "spike"]
    assert never  # the run ends while spikes of its last tick wait


def test_a_run_going_on_is_read_with_a_note(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "live"):
        assert open_run(tmp_path / "live").notes[0].startswith("incomplete: the run is still goin")


def test_a_traced_part_is_noted(copy: Path) -> None:
    text = (copy / "experiment.toml").read_text()
    changed = text.replace('level = "hops"', 'level = "hops"\nkinds = ["spike"]')
    (copy / "experiment.toml").write_text(changed)
    (note,) = open_run(sealed(copy)).notes
    assert note == "the trace covers a part of the run only: kinds = ['spike']"


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda run: run.read("packet"), "no data set 'packet'; did you mean 'packets'?"),
        (lambda run: run.read("hops", ["chanel"]), "did you mean 'channel'?"),
        (lambda run: run.packet(45, 999), "no packet 45:999 in the trace; source 45 has packets 0"),
        (lambda run: run.packet(999, 0), "there are packets of the source vertices 0, 1, 2, 3"),
        (lambda run: run.slowest(0), "got a count of 0, expected at least 1"),
    ],
)
def test_wrong_questions(directory: Path, do: object, says: str) -> None:
    with pytest.raises(TraceError) as error:
        do(open_run(directory))  # type: ignore[operator]
    assert says in str(error.value)
