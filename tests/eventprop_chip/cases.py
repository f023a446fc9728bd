"""Random networks, inputs and ways to run them on the chip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from chipsim.sim.simulation import Simulation
from eventprop_apps import evaluate


@dataclass(frozen=True)
class Case:
    """A network on a batch, and how to run it; the arrays follow from ``seed``."""

    seed: int
    sizes: tuple[int, ...]
    steps: int = 10
    batch: int = 2
    rate: float = 0.2
    scale: float = 4.0
    target: str = "labels"
    factors: str = "exp"
    dtype: str = "float32"
    chip: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> list[Any]:
        """Normal weights around a mean that keeps the layers active."""
        draws = np.random.default_rng([self.seed, 1])
        return [
            self.scale * draws.normal(0.8, 1.0, (n_out, n_in)) / np.sqrt(n_in)
            for n_in, n_out in pairwise(self.sizes)
        ]

    @property
    def spikes(self) -> Any:
        """Input spikes, (T, B, n_in)."""
        draws = np.random.default_rng([self.seed, 2])
        shape = (self.steps, self.batch, self.sizes[0])
        return (draws.random(shape) < self.rate).astype(np.uint8)

    @property
    def targets(self) -> dict[str, Any]:
        """Labels, errors or nothing."""
        draws = np.random.default_rng([self.seed, 3])
        if self.target == "labels":
            return {"labels": draws.integers(0, self.sizes[-1], self.batch)}
        if self.target == "errors":
            return {"output_error": draws.normal(size=(self.batch, self.sizes[-1]))}
        return {}

    def run(self, backend: str, **options: Any) -> Any:
        """Evaluate the case."""
        given = {**self.targets, "spikes": self.spikes, **options}
        chip = given if backend == "offchip" else {**self.chip, **given}
        return evaluate(
            self.weights, factors=self.factors, dtype=self.dtype, backend=backend, **chip
        )


class Watch:
    """A probe that keeps the simulation, for its counters."""

    def on_start(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def quiet(self) -> bool:
        """Return whether nothing was late, lost or overran."""
        counters = self.simulation.network.counters()
        return (
            not any(self.simulation.tracer.late.values())
            and self.simulation.tick_log.overruns == 0
            and counters.dropped == counters.overwritten == 0
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case: depth 1 to 4, 1 to 12 neurons a layer, in waves or at once."""
    depth = draw(st.integers(1, 4))
    batch = draw(st.integers(1, 6))
    chip = {
        "transport": draw(st.sampled_from(["noc_direct", "router_multicast"])),
        "replicas": draw(st.integers(1, batch)),
    }
    return Case(
        seed=draw(st.integers(0, 2**31)),
        sizes=tuple(draw(st.lists(st.integers(1, 12), min_size=depth + 1, max_size=depth + 1))),
        steps=draw(st.one_of(st.integers(8, 20), st.integers(2, 7))),
        batch=batch,
        rate=draw(st.sampled_from([0.3, 0.6, 0.1, 1.0])),
        scale=draw(st.sampled_from([8.0, 14.0, 25.0, 3.0])),
        target=draw(st.sampled_from(["labels", "errors", "nothing"])),
        factors=draw(st.sampled_from(["exp", "euler"])),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        chip=chip,
    )


def differences(a: Any, b: Any) -> list[str]:
    """Return in what two evaluations differ, bit by bit."""
    found = []
    for name in ("spikes", "gradients"):
        for layer, (x, y) in enumerate(zip(getattr(a, name), getattr(b, name), strict=True)):
            if x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
                found.append(f"{name} of layer {layer}")
    if a.first_spike_times.tobytes() != b.first_spike_times.tobytes():
        found.append("first spike times")
    if a.loss != b.loss and not (a.loss != a.loss and b.loss != b.loss):
        found.append(f"loss {a.loss!r} and {b.loss!r}")
    return found


def kind_of(result: Any) -> str:
    """Return what a draw exercises."""
    if not all(np.isfinite(g).all() for g in result.gradients):
        return "gradients not finite"
    if not result.spikes[-1].any():
        return "no output spike"
    return "whole" if any(g.any() for g in result.gradients) else "gradients all zero"


def report(tally: Counter[str], excluded: Counter[str]) -> str:
    """Return the property's report."""
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))
    why = ", ".join(f"{count} {name}" for name, count in sorted(excluded.items())) or "none"
    return f"{sum(tally.values())} draws compared ({kinds}); excluded: {why}"
