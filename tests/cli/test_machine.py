"""``chipsim machine``: shown as text and as JSON, changed by settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chipsim.cli.main import main


def test_shows_blocks_clocks_and_provenance(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machine", "spinnaker2"]) == 0
    shown = capsys.readouterr().out
    for text in ("152", "300 MHz", "noc.hop_cycles", "CHIP26", "assum"):
        assert text in shown


def test_list_names_every_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machine", "--list"]) == 0
    text = capsys.readouterr().out
    assert main(["machine", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"spinnaker2", "mesh-WxH", "torus-WxH"} <= {row["name"] for row in rows}
    assert [line.split("  ")[0] for line in text.splitlines()] == [row["name"] for row in rows]


def test_a_setting_shows_with_kind_u(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machine", "mesh-4x4", "--set", "noc.hop_cycles=7", "--json"]) == 0
    figures = {row["name"]: row for row in json.loads(capsys.readouterr().out)["figures"]}
    assert figures["noc.hop_cycles"]["value"] == 7
    assert figures["noc.hop_cycles"]["kind"] == "U"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "chipsim machine: no NAME given; `chipsim machine --list` lists them"),
        (["spinaker2"], "unknown machine 'spinaker2'; did you mean 'spinnaker2'?"),
        (["mesh-0x4"], "mesh-0x4: got 0 x 4 routers"),
        (["missing.toml"], "missing.toml: 1 problem\n  - cannot be read: No such file"),
        (["mesh-4x4", "--set", "noc.hop_ns=7"], "noc.hop_ns: wrong unit; this figure is"),
        (
            ["mesh-4x4", "--set", "noc.hop_cycles=-1", "--set", "noc.fifo_packet=2"],
            "settings of mesh: 2 problems\n  - noc.fifo_packet: unknown figure; did you mean",
        ),
    ],
)
def test_bad_input_is_one_message(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["machine", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.filterwarnings("always::chipsim.machine.synthetic.DeadlockWarning")
def test_a_torus_with_finite_fifos_warns_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["machine", "torus-4x4", "--set", "noc.fifo_packets=4", "--json"]) == 0
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == 1
    assert warned[0].startswith("chipsim: warning: ")


def test_a_board_in_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machine", "spinnaker2-48", "--set", "faults.random_chips=2"]) == 0
    text = capsys.readouterr().out
    assert main(["machine", "spinnaker2-48", "--set", "faults.random_chips=2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["faults"] == {"chips": 2, "PEs": 304}
    chips = facts["chips"]
    assert (chips["live"], chips["boards"], chips["ethernet chips"]) == (46, 1, 1)
    drawn = [row.replace(".", "") for row in chips["drawing"]]
    assert [len(row) for row in drawn] == [4, 5, 6, 7, 8, 7, 6, 5]
    assert "".join(drawn).count("x") == 2
    assert "".join(drawn).count("E") == 1
    assert "  PEs for applications  6992" in text
    for row in chips["drawing"]:
        assert " ".join(row) in text


def test_large_machines_are_summarised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machine", "spinnaker1-torus-60x60"]) == 0
    text = capsys.readouterr().out
    assert "(0,0), (4,8), (8,4), (12,0), (16,8), (20,4), ... (75 in all)" in text
    assert "y=59" not in text
    assert len(text.splitlines()) < 160


@pytest.mark.parametrize("name", ["spinnaker2", "spinnaker1-torus-12x12", "hex-torus-4x3"])
def test_plots(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two drawings of one machine are the same bytes; what is dead changes them."""
    files = [tmp_path / f"{number}.svg" for number in range(3)]
    for file, dead in zip(files, ("0", "0", "1"), strict=True):
        words = ["--set", f"faults.random_links={dead}", "--plot", str(file)]
        assert main(["machine", name, *words]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")
    first, same, other = (file.read_text() for file in files)
    assert first == same != other
    if name == "spinnaker2":
        assert first.count("<!-- QPE -->") == 38
    if name.startswith("spinnaker1"):
        assert first.count("<!-- 11,11 -->") == 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("plan.jpeg", "expected a file that ends in .png, .svg, .pdf"),
        ("no/plan.png", "no does not"),
    ],
)
def test_plots_that_cannot_be_made(
    file: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["machine", "spinnaker2", "--plot", str(tmp_path / file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
