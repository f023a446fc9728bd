"""Bad input from the command line: one message that names all problems, status 2, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from chipsim.cli.main import main

SMALL = [
    *("--set", "train.epochs=1"),
    *("--set", "train.batch=2"),
    *("--set", "data.train_samples=2"),
    *("--set", "data.test_samples=2"),
]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run and return the one message."""
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err.startswith("chipsim: ")
    assert printed.err.count("chipsim: ") == 1
    return printed.err


def test_many_problems_in_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    sets = {
        "train.epohcs": "3",  # unknown key
        "tick.ms": "1",  # wrong unit
        "machine.noc.hop_ns": "17",  # wrong unit of a figure
        "machine.noc.hop_cycels": "5",  # unknown figure
        "train.batch": "-3",  # negative size
        "data.test_samples": "0",
        "model.dtype": "float16",
        "network.model": "booksim",
        "mapping.placer": "papper",
    }
    words = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
    message = refused(["run", "yinyang", *words], capsys)
    assert f"yinyang: {len(sets)} problems" in message
    for name in sets:
        assert name in message
    assert "did you mean 'train.epochs'?" in message
    assert "did you mean 'paper'?" in message


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        pytest.param(
            ["model.layers=[5, 2000, 3]", "model.parts=[1, 1]"],
            [
                "vertex 'r0/layer0' wants",
                "of data memory, PE(1,1,1) has 67584",
                "vertex 'r1/layer0' wants",
                "use fewer neurons",
            ],
            id="too large for the SRAM",
        ),
        pytest.param(
            ["train.batch=38", "data.train_samples=38"],
            ["1 problem", "38 replicas of up to 4 vertices, but 37 fit", "at most 37 replicas"],
            id="38 replicas",
        ),
        pytest.param(
            ["machine.name=nowhere.toml"],
            ["nowhere.toml", "No such file"],
            id="missing description",
        ),
        pytest.param(
            ["machine.name=mesh-2x2"],
            [
                "EventProp on mesh-2x2: 3 problems",
                "describes no PEs that run programs",
                "no host interface to load samples from",
                "has 4 PEs, but",
                "take a chip such as spinnaker2",
            ],
            id="a machine without PEs, host and room",
        ),
        pytest.param(
            ["machine.pe.cycles.tick_overhead=-5"],
            ["machine.pe.cycles.tick_overhead", "got -5"],
            id="negative figure",
        ),
        pytest.param(
            ["machine.pe.app_data_kb=0"], ["bytes of data memory", "has 0"], id="no memory"
        ),
    ],
)
def test_refused(sets: list[str], parts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for text in sets for word in ("--set", text)]
    message = refused(["run", "yinyang", *SMALL, *words], capsys)
    for part in parts:
        assert part in message


def test_a_missing_experiment_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.toml"
    message = refused(["run", str(missing)], capsys)
    assert "missing.toml" in message
    assert refused(["validate", str(missing)], capsys) == message


def test_a_machine_without_enough_pes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SpiNNaker2 with half of its PEs: a replica takes two QPEs, and one is the optimiser's."""
    small = tmp_path / "small.toml"
    small.write_text(
        'base = "spinnaker2"\nname = "small"\n'
        "[floor]\n"
        'pes_per_qpe = { value = 2, kind = "A", source = "half a QPE" }\n'
    )
    words = ["--set", f"machine.name={small}", "--set", "train.batch=19"]
    message = refused(
        ["run", "yinyang", *SMALL[:2], *words, "--set", "data.train_samples=19"], capsys
    )
    assert "19 replicas of up to 4 vertices, but 18 fit" in message
    assert "use at most 18 replicas" in message


@pytest.mark.parametrize(
    "figure",
    [
        "pe.cycles.tick_overhead=2.5",
        "pe.app_data_kb=65.8",
        "dma.setup_cycles=0",
        "dram.latency_ns=0",
        "host.latency_us=0",
        "pe.barrier_us=0",
        "pe.cycles.send_per_qpe=0",
        "dma.max_outstanding=1",
        "pe.levels.start=low",
        "pe.rx_full=stall",
        "pe.rx_full=overwrite",
        "pe.tx_sets=unbounded",
        "noc.flits_per_cycle=2",
        "noc.fifo_packets=1",
        "router.issue_buffer_packets=1",
        "noc.clock_mhz=333.33",
        "dma.bytes_per_flit=8",
        "host.link_gbps=0.001",
        "pe.levels.high_mhz=133.33",
        "dram.capacity_gb=1.5",
    ],
)
def test_figures_at_their_limits_run_or_are_refused(
    figure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "yinyang", *SMALL, "--json", "--set", f"machine.{figure}"]
    status = main([*words, "--set", "model.layers=[5, 8, 3]"])
    printed = capsys.readouterr()
    assert status in (0, 2), printed.err
    assert "Traceback" not in printed.err
    if status == 2:
        assert figure.partition("=")[0] in printed.err
