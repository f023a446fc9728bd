"""The main job from the command line, small: its result, and what bad input is answered with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chipsim.cli.main import main
from chipsim.trace.status import read_status

pytestmark = pytest.mark.usefixtures("conservation")

SMALL = [
    *("--set", "train.epochs=1"),
    *("--set", "train.batch=2"),
    *("--set", "data.train_samples=4"),
    *("--set", "data.test_samples=2"),
]

FIELDS = [
    "test_accuracy",
    "train_accuracy",
    "epochs",
    "batches",
    "train_samples",
    "packets",
    "packets_injected",
    "copies_expected",
    "copies_delivered",
    "copies_dropped",
    "copies_in_flight",
    "packet_hops",
    "latency_ns",
    "late_spikes",
    "late_errors",
    "unmatched_errors",
    "stale_phase",
    "tick_overruns",
    "tick_use_max",
    "simulated_s",
    "cpu_s",
    "wall_s",
    "energy_mj",
    "assumptions",
    "versions",
    "seed",
]


def test_a_small_run_has_every_field_of_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["--json", "--seed", "5", "--out", str(out), "--set", "trace.level=packets"]
    assert main(["run", "yinyang", *SMALL, *words]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert not [name for name in FIELDS if name not in summary]
    assert {"spike", "error", "gradient", "weight", "host"} <= summary["packets"].keys()
    assert {"median", "p99", "max"} <= summary["latency_ns"].keys()
    assert (summary["seed"], summary["epochs"], summary["batches"]) == (5, 1, 2)
    assert summary["copies_expected"] == sum(
        summary[f"copies_{end}"] for end in ("delivered", "dropped", "in_flight")
    )
    assert summary == json.loads((out / "summary.json").read_text())
    for name in ("experiment.toml", "metrics.csv", "weights.npz", "packets.parquet"):
        assert (out / name).exists(), name
    epochs = [line for line in printed.err.splitlines() if line.startswith("epoch 1/1, test acc")]
    assert len(epochs) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ["--set", "train.epoch=3", "--set", "trian.seed=1"],
            ["yinyang: 2 problems", "did you mean 'train.epochs'?", "did you mean [train]?"],
            id="unknown keys",
        ),
        pytest.param(
            ["--set", "tick.ms=1", "--set", "machine.noc.hop_ns=3"],
            ["yinyang: 2 problems", "wrong unit ms; expected tick.us, in us", "noc.hop_cycles"],
            id="wrong units",
        ),
        pytest.param(
            ["--set", "train.batch=-4", "--set", "data.test_samples=0"],
            ["yinyang: 2 problems", "train.batch: got -4", "data.test_samples: got 0"],
            id="negative sizes",
        ),
        pytest.param(
            ["--set", "model.layers=[5, 4000, 3]", "--set", "model.parts=[1, 1]"],
            ["'r0/layer0' wants", "bytes of data memory", "too many"],
            id="too large for SRAM",
        ),
        pytest.param(
            ["--set", "train.batch=38", "--set", "data.train_samples=38"],
            ["38 replicas", "37 fit", "use at most 37 replicas"],
            id="38 replicas",
        ),
        pytest.param(
            ["--set", "machine.name=spinaker2"],
            ["unknown machine 'spinaker2'; did you mean 'spinnaker2'?"],
            id="unknown machine",
        ),
        pytest.param(
            ["--set", "trace.level=packets"],
            ["trace level 'packets' writes files", "--out DIR"],
            id="a trace without a directory",
        ),
    ],
)
def test_bad_input_is_one_message(
    words: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "yinyang", *SMALL, *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err.count("chipsim: ") == 1
    for text in said:
        assert text in printed.err


def test_a_machine_without_enough_pes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", "machine.name=mesh-2x2"]
    assert main(["run", "yinyang", *SMALL, *words]) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert message.startswith("chipsim: EventProp on mesh-2x2: 3 problems")


def test_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    files = {}
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        words = [*SMALL, "--out", str(out), "--set", "trace.level=packets"]
        subprocess.run(
            [sys.executable, "-m", "chipsim", "run", "yinyang", *words],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        )
        files[hash_seed] = {
            str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file() and path.name != "summary.json"
        }
    assert files["1"].keys() == files["2"].keys()
    different = [name for name, data in files["1"].items() if files["2"][name] != data]
    assert not different


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_leaves_a_readable_directory(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [*SMALL, "--set", "train.epochs=100000", "--set", "trace.level=packets"]
    process = subprocess.Popen(
        [sys.executable, "-m", "chipsim", "run", "yinyang", *words, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test runner in the background may ignore SIGINT, which children would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            process.send_signal(signal.SIGINT)
            break
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert rest.endswith("chipsim: interrupted\n")
    assert read_status(out).state == "interrupted"
    assert len((out / "metrics.csv").read_text().splitlines()) >= 3
    tables = [pq.read_table(part) for part in sorted((out / "packets.parquet").glob("*.parquet"))]
    assert sum(table.num_rows for table in tables) > 0
