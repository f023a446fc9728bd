"""``chipsim run`` and ``chipsim validate``: settings in, progress and result out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from chipsim.cli.main import main
from chipsim.trace.status import read_status, read_summary

from .conftest import Toy


def test_table_on_stdout_and_a_line_an_epoch_on_stderr(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "toy"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("toy, seed 1\n")
    assert "test accuracy             87.50 %" in printed.out
    assert "noc                       0.25 mJ *" in printed.out
    assert "pe                        0.5 mJ\n" in printed.out
    lines = [line for line in printed.err.splitlines() if line.startswith("epoch")]
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        "epoch 1/2, test accuracy 50.0 %, 1,234 packets",
        "epoch 2/2, test accuracy 50.0 %, 1,234 packets",
    ]


def test_help_names_the_experiments(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    assert capsys.readouterr().out.endswith("installed: toy\n")


def test_json_is_alone_on_stdout(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "toy", "--json", "--seed", "7"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["seed"] == 7
    assert summary["packets"] == {"spike": 1000, "error": 234}


def test_settings_reach_the_experiment(toy: Toy) -> None:
    words = ["--set", "train.epochs=1", "--set", "machine.noc.hop_cycles=3", "--network", "simpy"]
    assert main(["run", "toy", *words]) == 0
    values = toy.experiment.values
    assert values.train.epochs == 1
    assert values.machine.settings() == {"noc.hop_cycles": 3}
    assert values.network.model == "simpy"
    assert toy.out is None


def test_out_holds_the_resolved_experiment_and_the_summary(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["run", "toy", "--out", str(out), "--set", "train.batch=2"]) == 0
    assert f"written to {out}" in capsys.readouterr().out
    assert read_summary(out)["test_accuracy"] == 0.875
    first = toy.experiment
    assert main(["run", str(out / "experiment.toml")]) == 0
    assert toy.experiment.values == first.values

    assert main(["run", "toy", "--out", str(out)]) == 2
    assert "holds an earlier run" in capsys.readouterr().err
    assert main(["run", "toy", "--out", str(out), "--force"]) == 0


def test_interrupt_leaves_a_readable_directory(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.raises = KeyboardInterrupt()
    assert main(["run", "toy", "--out", str(tmp_path / "run")]) == 130
    assert read_status(tmp_path / "run").state == "interrupted"
    assert capsys.readouterr().err.endswith("chipsim: interrupted\n")


def test_a_failed_run_says_so(toy: Toy, tmp_path: Path) -> None:
    toy.raises = ZeroDivisionError("here")
    with pytest.raises(ZeroDivisionError):
        main(["run", "toy", "--out", str(tmp_path / "run")])
    status = read_status(tmp_path / "run")
    assert (status.state, status.reason) == ("failed", "ZeroDivisionError: here")


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tyo"], ["tyo: 1 problem", "did you mean 'toy'?"]),
        (["missing.toml"], ["missing.toml: 1 problem", "cannot be read: No such file"]),
        (["toy", "--set", "train.epoch=1"], ["toy: 1 problem", "did you mean 'train.epochs'?"]),
        (
            ["toy", "--set", "train.epochs=0", "--set", "train.batch=many"],
            ["toy: 2 problems", "train.epochs", "train.batch"],
        ),
        (["toy", "--set", "train.epochs"], ["--set: got 'train.epochs'; expected KEY=VALUE"]),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    toy: Toy,
    command: str,
    words: list[str],
    said: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([command, *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("chipsim: ")
    for text in said:
        assert text in printed.err
    assert toy.experiment is None


def test_bad_input_makes_no_directory(toy: Toy, tmp_path: Path) -> None:
    assert main(["run", "toy", "--set", "train.epochs=0", "--out", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()


def test_validate_says_what_it_read(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('experiment = "toy"\n[machine]\nname = "mesh-3x3"\n')
    assert main(["validate", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: valid (toy on mesh-3x3)\n"
    assert main(["validate", str(file), "--json", "--set", "train.seed=9"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["machine"]["name"], table["train"]["seed"]) == ("mesh-3x3", 9)
    assert toy.experiment is None


HANGS = """
import signal, sys, time
from chipsim.cli.interrupt import second_interrupt_exits
from chipsim.cli.main import COMMANDS, main

class Command:
    def add_arguments(parser): pass
    def run(arguments):
        with second_interrupt_exits():
            try:
                print("ready", flush=True)
                time.sleep(60)
            finally:
                print("unwinding", flush=True)
                {then}
sys.modules["hangs"] = Command
COMMANDS["hangs"] = ("hangs", "hangs")
sys.exit(main(["hangs"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(("then", "interrupts"), [("pass", 1), ("time.sleep(60)", 2)])
def test_first_interrupt_unwinds_and_second_exits(then: str, interrupts: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HANGS.format(then=then))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test runner in the background may ignore SIGINT, which children would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    for line in ["ready\n", "unwinding\n"][:interrupts]:
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
