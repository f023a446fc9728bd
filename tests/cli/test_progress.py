"""Progress is a line an epoch; only a terminal sees what lies between."""

from __future__ import annotations

import io
import re

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
