"""``chipsim export``: what all forms share, and CSV; the other forms have modules of their own."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main

from .conftest import at_level

Rows = list[dict[str, Any]]
FORMS = ("csv", "perfetto", "vcd", "nirdata", "neo")
SUFFIX = {"neo": ".pkl"}


def export(directory: Path, to: str, out: Path, *words: str, status: int = 0) -> None:
    assert main(["export", str(directory), "--to", to, "--out", str(out), *words]) == status


def test_csv_holds_every_row(directory: Path, raw: dict[str, Rows], tmp_path: Path) -> None:
    export(directory, "csv", tmp_path / "csv")
    for name, rows in raw.items():
        with (tmp_path / "csv" / f"{name}.csv").open(newline="") as file:
            got = list(csv.DictReader(file))
        wanted = [
            {k: str(int(v)) if isinstance(v, bool) else str(v) for k, v in row.items()}
            for row in rows
        ]
        assert got == wanted


def test_a_window_of_csv(directory: Path, raw: dict[str, Rows], tmp_path: Path) -> None:
    export(directory, "csv", tmp_path / "csv", "--start-ms", "3", "--end-ms", "7.5")
    with (tmp_path / "csv" / "packets.csv").open(newline="") as file:
        got = [(row["packet_source"], row["packet_seq"]) for row in csv.DictReader(file)]
    start, end = 3 * 10**9, 75 * 10**8
    inside = [r for r in raw["packets"] if r["injected_ps"] < end and r["ended_ps"] >= start]
    assert got == [(str(r["packet_source"]), str(r["packet_seq"])) for r in inside]
    assert 0 < len(got) < len(raw["packets"])


@pytest.mark.parametrize("to", ["perfetto", "vcd", "nirdata"])
def test_same_trace_same_bytes(directory: Path, tmp_path: Path, to: str) -> None:
    for name in "ab":
        export(directory, to, tmp_path / name, "--end-ms", "5")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--limit", "100"], "the limit is 100; take a part with --start-ms and --end-ms, or "),
        (["--start-ms", "5", "--end-ms", "5"], "expected a start from 0 on and an end after it"),
        (["--start-ms", "soon"], "--start-ms: got 'soon', expected milliseconds such as 1.5"),
    ],
)
@pytest.mark.parametrize("to", FORMS)
def test_refusals(
    directory: Path,
    tmp_path: Path,
    to: str,
    words: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / f"out{SUFFIX.get(to, '')}"
    export(directory, to, out, *words, status=2)
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_overwritten(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    export(directory, "csv", tmp_path / "mine", status=2)
    assert "the directory is not empty" in capsys.readouterr().err
    (tmp_path / "mine.pkl").write_text("")
    for to in FORMS[1:]:
        file = tmp_path / "mine.pkl" if to == "neo" else tmp_path / "mine" / "file"
        export(directory, to, file, status=2)
        assert "exists; give another file with --out" in capsys.readouterr().err
        assert file.read_text() == ""
        missing = tmp_path / "nowhere" / "file.pkl"
        export(directory, to, missing, "--end-ms", "5", status=2)
        assert "cannot be written" in capsys.readouterr().err


def test_forms_and_levels(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(directory), "--to", "vdc"]) == 2
    assert "'csv', 'perfetto', 'vcd', 'nirdata', 'neo'" in capsys.readouterr().err
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    at_level(copy, "packets")
    for to, name in zip(FORMS, ("-csv", ".pftrace", ".vcd", ".h5", ".pkl"), strict=True):
        assert main(["export", str(copy), "--to", to, "--end-ms", "5"]) == 0
        assert str(tmp_path / f"copy{name}") in capsys.readouterr().out
        assert (tmp_path / f"copy{name}").exists()
    at_level(copy, "summary")
    for to in FORMS:
        export(copy, to, tmp_path / f"{to}.pkl", status=2)
        assert "run again with --set trace.level=packets" in capsys.readouterr().err


@pytest.mark.parametrize("to", FORMS)
def test_broken_runs_are_named(
    directory: Path, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    part = copy / "packets.parquet" / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:200])
    out = tmp_path / "out.pkl"
    export(copy, to, out, status=2)
    assert "the part is broken or cut off" in capsys.readouterr().err
    (copy / "status.json").unlink()
    export(copy, to, out, status=2)
    assert "so this is no run directory" in capsys.readouterr().err
    assert not out.exists()
