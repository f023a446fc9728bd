"""An experiment that needs no simulator, found by its entry point like any other."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from chipsim import registry
from chipsim.experiment import ExperimentKind, ExperimentModel

DEFAULTS = """\
experiment = "toy"
[train]
epochs = 2
batch = 4
seed = 1
[machine]
name = "mesh-2x2"
[mapping]
placer = "sequential"
transport = "noc_direct"
[network]
model = "compiled"
[tick]
us = 1000
[trace]
level = "summary"
"""


class Toy:
    """What the toy experiment was given, and what it does."""

    def __init__(self) -> None:
        self.experiment: Any = None
        self.out: Any = None
        self.raises: BaseException | None = None

    def run(self, experiment: Any, out: Any, progress: Any) -> dict[str, Any]:
        self.experiment, self.out = experiment, out
        epochs = experiment.values.train.epochs
        for epoch in range(1, epochs + 1):
            progress({"epoch": epoch, "epochs": epochs, "batch": 1})
            progress({"epoch": epoch, "epochs": epochs, "test_accuracy": 0.5, "packets": 1234})
            if self.raises is not None:
                raise self.raises
        return {
            "seed": experiment.seed,
            "test_accuracy": 0.875,
            "epochs": epochs,
            "packets": {"spike": 1000, "error": 234},
            "packets_injected": 1234,
            "energy_mj": {"noc": 0.25, "pe": 0.5},
            "assumptions": [
                {
                    "name": "energy.noc_bit_hop_pj",
                    "value": 0.17,
                    "kind": "A",
                    "source": "unpublished",
                }
            ],
        }


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """The experiment ``toy``; the fixture's value sees and steers its run."""
    toy = Toy()
    defaults = tmp_path / "toy-defaults.toml"
    defaults.write_text(DEFAULTS)
    kind = ExperimentKind("toy", "a toy", defaults, ExperimentModel, toy.run)
    monkeypatch.setattr("chipsim.experiment.TOY", kind, raising=False)
    point = EntryPoint("toy", "chipsim.experiment:TOY", "chipsim.experiments")
    monkeypatch.setattr(registry, "entries", lambda group: {"toy": point})
    return toy
