"""Progress is a line an epoch; only a terminal sees what lies between."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chipsim.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def without_real_time(text: str) -> str:
    return re.sub(r", [\d.]+ s real", "", text)


def test_quiet_between_epochs_when_not_a_terminal() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress({"epoch": 1, "epochs": 3, "batch": 5})
        progress({"epoch": 1, "epochs": 3, "test_accuracy": 0.912, "simulated_s": 1.5})
    assert without_real_time(stream.getvalue()) == (
        "epoch 1/3, test accuracy 91.2 %, 1.500 s simulated\n"
    )


def test_a_terminal_sees_a_moving_line_that_leaves_nothing_behind() -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        progress({"epoch": 1, "epochs": 3, "batch": 5, "batches": 9, "loss": 0.123456})
        progress({"epoch": 1, "accuracy": 0.5})
        progress({"epoch": 2, "batch": 1})
    moving, final = without_real_time(stream.getvalue()).split("\n")
    assert moving.startswith("\repoch 1/3, batch 5/9, loss 0.1235\r ")
    assert moving.endswith("\repoch 1, accuracy 50.0 %")
    # The last moving line came within a tenth of a second of the first, or was wiped.
    assert final == "" or final.endswith("\r")


def test_a_terminal_sees_rates_packets_in_flight_and_late_ones() -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        assert progress.live and progress.due()
        values = {"packets": 1000, "simulated_s": 0.5, "in_flight": 12, "late": 3}
        progress({"epoch": 1, "epochs": 2, **values})
        assert not progress.due()
    assert ", 1,000 packets, 0.500 s simulated, 12 in flight, 3 late, " in stream.getvalue()


def test_rates_are_those_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("chipsim.cli.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(stream, log_json=True)
    for second in range(6):  # 1,000 packets a second, the last second 3,000
        packets = 1000 * second if second < 5 else 7000
        progress({"batch": second, "packets": packets, "simulated_s": 0.01 * second})
        now[0] += 1.0
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "packets_per_s" not in rows[0]
    assert [row["packets_per_s"] for row in rows[1:]] == [1000, 1000, 1000, 1000, 2000]
    assert rows[5]["chip_ms_per_s"] == pytest.approx(10)
    assert [row["event"] for row in rows] == ["progress"] * 6


def test_json_lines_are_few_and_end_with_how_it_ended() -> None:
    for error, event in (
        (None, "finished"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError(), "failed"),
    ):
        stream = io.StringIO()
        progress = Progress(stream, log_json=True)
        for batch in range(100):
            progress({"epoch": 1, "batch": batch})
        progress({"epoch": 1, "test_accuracy": 0.5})
        progress.__exit__(type(error) if error else None, error, None)
        rows = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [row["event"] for row in rows] == ["progress", "epoch", event]
        assert all(row["real_s"] >= 0 for row in rows)


SMALL = [
    *("run", "yinyang", "--set", "train.epochs=2", "--set", "train.batch=2"),
    *("--set", "data.train_samples=4", "--set", "data.test_samples=2"),
]


def chipsim(*words: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chipsim", *words],
        stdout=subprocess.PIPE,
        text=True,
        # A test runner in the background may ignore SIGINT, which children would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **more,  # type: ignore[call-overload]
    )


def test_log_json_holds_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = chipsim(*SMALL, "--log-json", "--json", "--out", str(out), stderr=subprocess.PIPE)
    summary, log = process.communicate(timeout=300)
    assert process.returncode == 0
    rows = [json.loads(line) for line in log.splitlines()]
    epochs = [row for row in rows if row["event"] == "epoch"]
    assert [row["epoch"] for row in epochs] == [1, 2]
    fields = {"epochs", "test_accuracy", "train_accuracy", "loss", "simulated_s", "packets"}
    assert all(fields | {"in_flight", "late", "real_s"} <= row.keys() for row in epochs)
    assert epochs[-1]["test_accuracy"] == json.loads(summary)["test_accuracy"]
    assert rows[-1]["event"] == "finished"
    metrics = (out / "metrics.csv").read_text().splitlines()[0]
    assert metrics == "epoch,test_accuracy,train_accuracy,loss,simulated_s,packets"
    process = chipsim("run", "yinyang", "--log-json", "--set", "a=1", stderr=subprocess.PIPE)
    _, log = process.communicate(timeout=60)
    assert json.loads(log)["event"] == "note" and process.returncode == 2


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal")
def test_a_real_terminal_and_ctrl_c(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    words = [*SMALL, "--set", "train.epochs=100000", "--out", str(tmp_path / "run")]
    process = chipsim(*words, stderr=slave)
    os.close(slave)
    seen, asked = "", False
    while True:
        ready, _, _ = select.select([master], [], [], 120)
        assert ready, f"silent after {seen[-300:]!r}"
        try:
            data = os.read(master, 4096).decode()
        except OSError:  # the terminal's other end is closed
            break
        if not data:
            break
        seen += data
        if not asked and " packets a second" in seen and seen.count("epoch ") > 5:
            process.send_signal(signal.SIGINT)
            asked = True
    os.close(master)
    process.communicate(timeout=60)
    assert process.returncode == 130
    moving = re.findall(r"\repoch [\d/,]+, batch \d+/2, [^\r]*", seen)
    assert any(" in flight, " in line and " late, " in line for line in moving)
    assert any("ms of chip time a second" in line for line in moving)
    # What moved is wiped before the last line.
    assert re.search(r"\r +\rchipsim: stopping|\nchipsim: ", seen), seen[-400:]
    assert seen.rstrip().endswith("chipsim: interrupted")
