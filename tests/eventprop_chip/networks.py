"""Random networks of every form: recurrent, regularised, read out, with constants by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from eventprop_apps import TTFSLoss, evaluate
from eventprop_apps.losses import (
    Head,
    Heads,
    ReadOutCrossEntropy,
    SpikeCountCrossEntropy,
    SpikeCountMSE,
    SpikeTimeMSE,
)
from eventprop_apps.losses.regularisers import Regulariser

LOSSES: dict[str, Any] = {
    "ttfs": TTFSLoss(),
    "on chip": TTFSLoss.on_chip(),
    "times": SpikeTimeMSE(),
    "count": SpikeCountCrossEntropy(),
    "count mse": SpikeCountMSE(),
    "max": ReadOutCrossEntropy("max"),
    "mean": ReadOutCrossEntropy("mean"),
    "exp": ReadOutCrossEntropy("exp"),
}


@dataclass(frozen=True)
class Form:
    """A network on a batch; the arrays follow from ``seed``."""

    seed: int
    sizes: tuple[int, ...]
    recurrent: tuple[bool, ...]
    loss: str = "ttfs"
    heads: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()
    split: tuple[str, ...] = ()
    steps: int = 10
    batch: int = 2
    scale: float = 8.0
    dtype: str = "float32"
    by_layer: bool = False
    regularised: bool = False
    chip: dict[str, Any] = field(default_factory=dict)

    def judge(self) -> Any:
        loss = LOSSES[self.loss]
        if len(self.heads) < 2:
            return loss
        return Heads(tuple(Head(n, loss, 1.0 - 0.3 * i) for i, n in enumerate(self.heads)))

    def arguments(self) -> dict[str, Any]:
        draws = np.random.default_rng([self.seed, 4])
        weights = []
        for layer, (n_in, n_out) in enumerate(pairwise(self.sizes)):
            own = draws.normal(0.8, 1.0, (n_out, n_in)) * self.scale / np.sqrt(n_in)
            if self.recurrent[layer]:
                back = draws.normal(0.0, 0.5, (n_out, n_out)) * self.scale / np.sqrt(n_out)
                own = np.concatenate([own, back], axis=1)
            weights.append(own)
        layers, judge = len(weights), self.judge()
        heads = self.heads or (self.sizes[-1],)
        label = np.stack([draws.integers(0, n, self.batch) for n in heads], axis=1)
        given: dict[str, Any] = {
            "weights": weights,
            "spikes": (draws.random((self.steps, self.batch, self.sizes[0])) < 0.3).astype(
                np.uint8
            ),
            "labels": label if len(heads) > 1 else label[:, 0],
            "recurrent": list(self.recurrent),
            "loss": judge,
            "dtype": self.dtype,
            "split": list(self.split) or "neurons",
        }
        if self.by_layer:
            given |= {
                "factors": [("exp", "euler")[int(k)] for k in draws.integers(0, 2, layers)],
                "tau_mem_ms": draws.uniform(8, 30, layers).tolist(),
                "tau_syn_ms": draws.uniform(3, 8, layers).tolist(),
                "threshold": draws.uniform(0.5, 1.5, layers).tolist(),
                "dt_ms": 0.7,
            }
        if judge.wants_values:
            given["targets"] = draws.uniform(2, self.steps, (self.batch, self.sizes[-1]))
        if self.regularised:
            given["regularisers"] = Regulariser(
                low=1, high=2, under=0.1, over=0.2, silent=0.1, late=0.3
            )
        return given

    def run(self, backend: str, **options: Any) -> Any:
        """Evaluate; ``options`` and the form's own for the chip alone."""
        if backend == "offchip":
            settings = {"parts": self.parts} if self.split else {}
            return evaluate(**self.arguments(), backend="offchip", settings=settings)
        settings = {"parts": self.parts} | options.pop("settings", {})
        return evaluate(
            **self.arguments(), backend="chip", settings=settings, **self.chip, **options
        )


@st.composite
def forms(draw: st.DrawFn, split: bool = False, by_inputs: bool = False) -> Form:
    """Draw a network of 1 to 4 layers; with ``split``, some of them on 2, 4 or 8 PEs.

    With ``by_inputs`` most of its layers lie in 1, 2, 4 or 8 slices of their input lines; the
    others lie on one PE.
    """
    split = split or by_inputs
    depth = draw(st.integers(1, 4))
    least = 8 if split else 2
    sizes = tuple(draw(st.lists(st.integers(least, 10), min_size=depth + 1, max_size=depth + 1)))
    loss = draw(st.sampled_from(sorted(LOSSES)))
    readout = LOSSES[loss].reads == "values"
    again = draw(st.lists(st.booleans(), min_size=depth, max_size=depth))
    heads: tuple[int, ...] = ()
    if sizes[-1] > 1 and loss != "times" and draw(st.booleans()):
        cut = draw(st.integers(1, sizes[-1] - 1))
        heads = (cut, sizes[-1] - cut)
    count = st.sampled_from([1, 2, 4, 8]) if split else st.just(1)
    parts = draw(st.lists(count, min_size=depth, max_size=depth))
    ways: list[str] = []
    if by_inputs:
        way = st.sampled_from(["inputs", "inputs", "neurons"])
        ways = draw(st.lists(way, min_size=depth, max_size=depth))
        parts = [n if way == "inputs" else 1 for way, n in zip(ways, parts, strict=True)]
    return Form(
        seed=draw(st.integers(0, 2**31)),
        sizes=sizes,
        recurrent=(*again[:-1], again[-1] and not readout),
        loss=loss,
        heads=heads,
        parts=tuple(parts),
        split=tuple(ways),
        steps=draw(st.one_of(st.integers(9, 16), st.integers(2, 8))),
        batch=draw(st.integers(1, 3)),
        scale=draw(st.sampled_from([8.0, 14.0, 5.0])),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        by_layer=draw(st.booleans()),
        regularised=draw(st.booleans()),
        chip={"transport": draw(st.sampled_from(["noc_direct", "router_multicast"]))},
    )
