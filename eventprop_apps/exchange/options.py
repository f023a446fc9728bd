"""Which PEs sum gradients, hold the optimiser's state and send weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from chipsim.errors import DataError, did_you_mean

Strategy = Literal["gather", "tree", "sharded"]
State = Literal["sram", "dram"]


@dataclass(frozen=True)
class ExchangeOptions:
    """The exchange between batches.

    Attributes
    ----------
    strategy : {"gather", "tree", "sharded"}
        All gradients to one optimiser PE; first summed in a tree over the layers' own PEs; or
        several optimiser PEs, each with a part of the weights.
    arity : int
        Gradients that a PE of the tree sums, its own included, at least 2.
    shards : int
        Optimiser PEs of ``sharded``, at least 1.
    state : {"sram", "dram"}
        Where summed gradients and the optimiser's moments lie: beside the weights in the
        optimiser's SRAM, or in DRAM, from where they pass through it in chunks.

    Raises
    ------
    DataError
        Naming everything that does not fit.
    """

    strategy: Strategy = "gather"
    arity: int = 4
    shards: int = 4
    state: State = "sram"

    def __post_init__(self) -> None:
        problems = []
        for name, value, known in (
            ("strategy", self.strategy, get_args(Strategy)),
            ("state", self.state, get_args(State)),
        ):
            if value not in known:
                problems.append(f"{name} = {value!r}{did_you_mean(value, known)}")
        if self.arity < 2:
            problems.append(f"arity = {self.arity}, expected at least 2")
        if self.shards < 1:
            problems.append(f"shards = {self.shards}, expected at least 1")
        if problems:
            raise DataError("exchange: got " + "; got ".join(problems))

    @property
    def optimisers(self) -> int:
        """Number of optimiser PEs."""
        return self.shards if self.strategy == "sharded" else 1

    def levels(self, samples: int) -> int:
        """Return the levels of the tree over the replicas of ``samples`` samples.

        The optimiser is its root: levels end where at most ``arity`` sums are left for it.
        """
        if self.strategy != "tree":
            return 0
        count, left = 0, samples
        while left > self.arity:
            left = -(-left // self.arity)
            count += 1
        return count
