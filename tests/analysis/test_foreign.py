"""Files of another run in a run's directory, with as many rows: none of them passes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chipsim.analysis.run import open_run
from chipsim.cli.main import main
from chipsim.errors import TraceError
from chipsim.trace.schema import SCHEMAS
from tests.analysis.conftest import make_run

TINY = {"data__train_samples": 6, "data__test_samples": 2, "train__batch": 3}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of which the second has twice the time between its ticks."""
    base = tmp_path_factory.mktemp("two")
    return make_run(base / "one", **TINY), make_run(base / "other", **TINY, tick__us=2000)


def copied(run: Path, to: Path) -> Path:
    return Path(shutil.copytree(run, to))


def rows(run: Path, name: str) -> int:
    return pq.ParquetFile(run / f"{name}.parquet" / "part-000000.parquet").metadata.num_rows


def test_ticks_of_another_run_with_the_same_rows(two: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = two
    assert rows(one, "ticks") == rows(other, "ticks") > 100
    copy = copied(one, tmp_path / "copy")
    part = Path("ticks.parquet", "part-000000.parquet")
    shutil.copy(other / part, copy / part)
    run = open_run(copy)
    assert run.packets.equals(open_run(one).packets)
    for ask in (run.pe_use, run.overruns, run.phase_cost, lambda: run.ticks):
        with pytest.raises(TraceError, match=r"part-000000\.parquet: got .* damaged or of another"):
            ask()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_changed_bit_is_seen(name: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    part = copy / f"{name}.parquet" / "part-000000.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 4
    part.write_bytes(data)
    with pytest.raises(TraceError, match=r"cannot be read|damaged or of another run"):
        open_run(copy).read(name)
    with pytest.raises(TraceError, match=r"cannot be read|damaged or of another run"):
        list(open_run(copy).parts(name, [SCHEMAS[name].time]))


def test_a_part_too_many(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    parts = copy / "spikes.parquet"
    shutil.copy(parts / "part-000000.parquet", parts / "part-000001.parquet")
    with pytest.raises(TraceError, match=r"part-000001\.parquet: is none that this run wrote"):
        _ = open_run(copy).spikes


def test_all_wrong_parts_are_named_at_once(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    names = [f"part-{number:06d}.parquet" for number in (1, 2)]
    for name in names:
        shutil.copy(copy / "spikes.parquet" / "part-000000.parquet", copy / "spikes.parquet" / name)
    with pytest.raises(TraceError) as caught:
        _ = open_run(copy).spikes
    assert all(f"{name}: is none that this run wrote" in str(caught.value) for name in names)


def test_names_of_another_run(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    text = (copy / "vertices.json").read_text()
    (copy / "vertices.json").write_text(text.replace("r0/layer0", "r0/layer9"))
    with pytest.raises(TraceError, match=r"vertices\.json: got .* damaged or of another run"):
        open_run(copy)


@pytest.mark.parametrize("command", ["inspect", "report", "export --to=csv"])
def test_unreadable_names_are_seen_at_once(
    command: str, two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copied(two[0], tmp_path / "copy")
    (copy / "vertices.json").write_text("{")
    capsys.readouterr()
    out = ["--out", str(tmp_path / "out")] if "csv" in command else []
    words = command.split()
    assert main([words[0], str(copy), *words[1:], *out]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "vertices.json: cannot be read" in printed.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", r"parts\.json: got list, expected named fields"),
        ('{"format": "chipsim-parts/0"}', r"got format 'chipsim-parts/0'"),
        (
            '{"format": "chipsim-parts/1", "files": 3}',
            r"files: got 3, expected a length and a checksum",
        ),
    ],
)
def test_a_list_of_parts_that_is_broken(
    text: str, says: str, two: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = copied(two[0], tmp_path / "copy")
    (copy / "parts.json").write_text(text)
    with pytest.raises(TraceError, match=says):
        open_run(copy)


def test_an_older_run_has_no_list_of_parts(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    assert json.loads((copy / "parts.json").read_text())["files"].keys() > {"vertices.json"}
    assert open_run(copy).notes == ()
    (copy / "parts.json").unlink()
    run = open_run(copy)
    assert run.packets.num_rows and "no parts.json" in run.notes[0]
