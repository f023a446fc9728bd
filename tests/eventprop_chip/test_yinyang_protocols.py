"""The authors' two protocols on Yin-Yang, as `tests/benchmarks/yinyang_protocols.py` runs them."""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chipsim.experiment import resolve

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "yinyang_protocols.py"
SPEC = importlib.util.spec_from_file_location("yinyang_protocols", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
script: ModuleType = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = script  # its dataclass looks its module up
SPEC.loader.exec_module(script)


@pytest.mark.nightly
def test_the_first_of_60000_samples_on_the_chip(tmp_path: Path) -> None:
    """An epoch of 60,000 samples, packet by packet, is the off-chip one to the last digit."""
    out = tmp_path / "run"
    assert script.main(["chip", "1", "--samples", "60000", "--epochs", "1", "--out", str(out)]) == 0
    assert script.main(["compare", str(out)]) == 0


@pytest.mark.nightly
def test_60000_samples_reach_what_the_authors_code_reaches() -> None:
    """Median of five seeds, mean of the epochs 17 to 21, within the stated two points of 95.4 %."""
    protocol = script.PROTOCOLS[60_000]
    assert protocol.authors - protocol.wanted == pytest.approx(0.02)
    means = []
    for seed in range(1, 6):
        curve = [float(epoch.test_accuracy) for epoch in script.off_chip(seed, protocol.samples)]
        assert len(curve) == protocol.epochs == 21
        means.append(script.last_mean(curve))
    assert statistics.median(means) >= protocol.wanted


def test_the_authors_initial_weights() -> None:
    """Their script draws (inputs, neurons) and turns it: NumPy's published first normals of 42."""
    values = resolve("yinyang").values
    hidden, output = script.numpy_weights(values, 42)
    assert hidden.shape == (120, 5) and output.shape == (3, 120)
    scale = 3.2 / math.sqrt(5)
    assert hidden[0, 0] == pytest.approx(scale * (1 + 0.4967141530112327), rel=1e-12)
    assert hidden[1, 0] == pytest.approx(scale * (1 - 0.13826430117118466), rel=1e-12)
    draws = np.random.RandomState(42).normal(size=5 * 120 + 3 * 120)
    assert output[2, 119] == pytest.approx((5.2 + 2.8 * draws[-1]) / math.sqrt(120), rel=1e-12)


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1 + 1e-12, 1)])
def test_a_changed_curve_is_found(
    factor: float, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (epoch,) = script.off_chip(3, epochs=1)
    values = [epoch.test_accuracy, epoch.train_accuracy, epoch.loss * factor]
    (tmp_path / "experiment.toml").write_text('experiment = "yinyang"\n\n[train]\nseed = 3\n')
    rows = (script.NAMES, [repr(float(value)) for value in values])
    (tmp_path / "metrics.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    assert script.main(["compare", str(tmp_path)]) == code
    assert ("NOT EQUAL" in capsys.readouterr().out) == bool(code)
