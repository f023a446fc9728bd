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
    with pytest.raises(TraceError, match=r"parts\.json: is missing \(status\.json has its mark"):
        open_run(copy)
    without_marks(copy)
    run = open_run(copy)
    assert run.packets.num_rows and "no parts.json" in run.notes[1]


def without_marks(run: Path) -> None:
    """Make a run's status one of an earlier chipsim."""
    status = json.loads((run / "status.json").read_text())
    del status["files"]
    (run / "status.json").write_text(json.dumps(status))


@pytest.mark.parametrize("name", ["summary.json", "parts.json", "metrics.csv"])
@pytest.mark.parametrize("command", ["inspect", "report"])
def test_a_file_of_another_run(
    name: str,
    command: str,
    two: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, other = two
    copy = copied(one, tmp_path / "copy")
    if (one / name).read_bytes() == (other / name).read_bytes():
        (copy / name).write_text((other / name).read_text().replace("0.", "1.", 1))
    else:
        shutil.copy(other / name, copy / name)
    capsys.readouterr()
    code = main([command, str(copy)])
    err = capsys.readouterr().err
    if name == "metrics.csv" and command == "inspect":
        assert code == 0  # which does not read it
        return
    assert code == 2
    assert f"{name}: got " in err and "was edited, or is of another run; copy the" in err


def test_an_edited_summary_is_refused_and_a_host_field_is_not(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = copied(two[0], tmp_path / "copy")
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(json.dumps(summary | {"cpu_s": 1e6}))
    assert open_run(copy).summary["cpu_s"] == 1e6
    changed = json.dumps(summary | {"copies_delivered": summary["copies_delivered"] + 1})
    (copy / "summary.json").write_text(changed)
    with pytest.raises(TraceError, match=r"summary\.json: got .* \(fields of the host left out\)"):
        open_run(copy)
    without_marks(copy)
    assert "status.json has no checksums" in open_run(copy).notes[0]


def test_settings_of_another_run_are_told(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    shutil.copy(two[1] / "experiment.toml", copy / "experiment.toml")
    (note,) = open_run(copy).notes
    assert "experiment.toml: got" in note and "settings and names are those of the file" in note


def test_the_same_run_has_the_same_marks(two: tuple[Path, Path], tmp_path: Path) -> None:
    again = make_run(tmp_path / "again", **TINY)
    assert (again / "status.json").read_bytes() == (two[0] / "status.json").read_bytes()
    marked = json.loads((again / "status.json").read_text())["files"]
    assert list(marked) == ["summary.json", "experiment.toml", "metrics.csv", "parts.json"]


@pytest.mark.parametrize("files", ["3", '{"summary.json": 3}'])
def test_marks_that_are_broken(files: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = copied(two[0], tmp_path / "copy")
    status = json.loads((copy / "status.json").read_text()) | {"files": json.loads(files)}
    (copy / "status.json").write_text(json.dumps(status))
    with pytest.raises(TraceError, match=r"status\.json: files: got .*, expected a length and a"):
        open_run(copy)
