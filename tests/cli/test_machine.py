"""``chipsim machine``: shown as text and as JSON, changed by settings."""

from __future__ import annotations

import json

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
