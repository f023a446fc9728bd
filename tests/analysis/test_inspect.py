"""``chipsim inspect``: the printed figures are those of the raw trace, the messages are plain."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chipsim.analysis.inspect import QUESTIONS
from chipsim.analysis.run import open_run
from chipsim.cli.main import main

from .conftest import at_level

Rows = list[dict[str, Any]]


def inspect(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["inspect", *map(str, words)]) == status
    got = capsys.readouterr()
    return got.out if status == 0 else got.err


def test_everything_is_answered(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = inspect(capsys, directory)
    blocks = text.rstrip("\n").split("\n\n")
    assert len(blocks) == len(QUESTIONS)
    for block in blocks:
        assert all(len(line) <= 120 for line in block.splitlines())


def test_printed_latencies(
    directory: Path, raw: dict[str, Rows], capsys: pytest.CaptureFixture[str]
) -> None:
    text = inspect(capsys, directory, "latency", "--by", "kind")
    printed = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:]}
    for kind, count in Counter(row["kind"] for row in raw["packets"]).items():
        taken = [r["ended_ps"] - r["injected_ps"] for r in raw["packets"] if r["kind"] == kind]
        assert printed[kind][0] == f"{count:,}"
        assert printed[kind][3] == f"{max(taken) / 1000:,.1f}"


def test_json_holds_the_trace_s_figures(
    directory: Path, raw: dict[str, Rows], capsys: pytest.CaptureFixture[str]
) -> None:
    got = json.loads(inspect(capsys, directory, "--json", "--top", 1000))
    answers = got["answers"]
    assert list(answers) == list(QUESTIONS) and got["notes"] == []
    assert sum(row["copies"] for row in answers["latency"]["rows"]) == len(raw["packets"])
    assert sum(row["grants"] for row in answers["queues"]["rows"]) == len(raw["hops"])
    busy = sum(row["busy_ps"] for row in raw["ticks"])
    assert sum(row["busy_ps"] for row in answers["pes"]["rows"]) == busy
    assert sum(row["busy_ps"] for row in answers["cost"]["rows"]) == busy
    carried = sum(row["busy_ps"] for row in raw["channels"])
    assert sum(row["busy_ps"] for row in answers["channels"]["rows"]) == carried
    assert answers["pes"]["note"] == f"0 overruns in {len(raw['ticks']):,} handlers of all PEs"


def test_a_packet_s_life(
    directory: Path, raw: dict[str, Rows], capsys: pytest.CaptureFixture[str]
) -> None:
    slow = max(raw["packets"], key=lambda row: row["ended_ps"] - row["injected_ps"])
    source, seq = slow["packet_source"], slow["packet_seq"]
    text = inspect(capsys, directory, "--packet", f"{source}:{seq}")
    hops = [h for h in raw["hops"] if (h["packet_source"], h["packet_seq"]) == (source, seq)]
    lines = [line for line in text.splitlines() if "->" in line]
    assert len(lines) == len(hops) == slow["hops"] + 1
    for line, hop in zip(lines, hops, strict=True):
        numbers = re.findall(r"[\d,]+\.\d+", line)
        wanted = [hop["arrived_ps"], hop["granted_ps"] - hop["arrived_ps"], hop["granted_ps"]]
        assert numbers[0] == f"{wanted[0] / 1000:,.3f}" and numbers[2] == f"{wanted[2] / 1000:,.3f}"
        assert numbers[1] == f"{wanted[1] / 1000:,.1f}"
    got = json.loads(inspect(capsys, directory, "--packet", f"{source}:{seq}", "--json"))
    assert [row["granted_ps"] for row in got["answers"]["hops"]["rows"]] == [
        hop["granted_ps"] for hop in hops
    ]


def test_late_packets_and_overruns_are_told(
    hurried: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((hurried / "summary.json").read_text())
    assert main(["inspect", str(hurried), "late", "pes"]) == 0
    got = capsys.readouterr()
    assert f"the run counts {summary['late_spikes']:,} late spikes" in got.out
    assert f"{summary['tick_overruns']:,} overruns in " in got.out


def test_a_lower_level_says_what_it_needs(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    at_level(copy, "packets")
    told = "the run was traced at level 'packets'; run again with --set trace.level=hops"
    text = inspect(capsys, copy)
    assert text.count(f"needs hops.parquet: {told}") == 3
    text = inspect(capsys, copy, "queues", status=2)
    assert told in text
    at_level(copy, "summary")
    assert inspect(capsys, copy).count("was traced at level 'summary'") == len(QUESTIONS)


def test_a_lost_data_set_is_told_and_not_taken_for_a_lower_level(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    shutil.rmtree(copy / "packets.parquet")
    (note,) = open_run(copy).notes
    assert note.startswith("packets.parquet: missing, though the run was traced at level 'hops'")
    assert "copy the directory again" in inspect(capsys, copy, "latency", status=2)
    assert main(["export", str(copy), "--to", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["latencies"], "no question 'latencies'; did you mean 'latency'?; there are latency, "),
        (["latency", "--by", "fase"], "latency by 'fase': unknown; did you mean 'phase'?"),
        (["--packet", "13"], "--packet: got '13', expected SOURCE:SEQ"),
        (["--packet", "13:999999"], "no packet 13:999999 in the trace; source 13 has packets"),
        (["late", "--packet", "1:1"], "give either --packet or questions, not both"),
        (["--top", "0"], "got 0 rows to show, expected at least 1"),
    ],
)
def test_wrong_words(
    directory: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in inspect(capsys, directory, *words, status=2)


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "so this is no run directory" in inspect(capsys, tmp_path, status=2)
