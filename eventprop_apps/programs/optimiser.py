"""The optimiser program: gathers gradients, updates the weights, broadcasts them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chipsim.errors import ExchangeError
from chipsim.sim.pe import ProcessingElement
from eventprop_apps.exchange import (
    TREE_BARRIER,
    ExchangeOptions,
    Master,
    Piece,
    Store,
    broadcast,
    gather,
    roots,
)
from eventprop_apps.names import CLIP_NET, norm_net
from eventprop_apps.optimisers.clip import clip_factor
from eventprop_apps.programs.batches import BatchProgram, Steps
from eventprop_apps.programs.plan import BACKWARD_BARRIER, Job, Plan


@dataclass(frozen=True)
class Shard:
    """One optimiser PE.

    Attributes
    ----------
    number, of : int
        Which of how many.
    pieces : sequence of Piece
        The weights that it serves.
    nets : sequence of str
        The weight net of each piece.
    sources : sequence of sequence of int
        Endpoints of the layer programs, by replica and block.
    """

    number: int
    of: int
    pieces: Sequence[Piece]
    nets: Sequence[str]
    sources: Sequence[Sequence[int]]


class OptimiserProgram(BatchProgram):
    """Holds a part of the master copy of the weights and of the optimiser's state.

    Parameters
    ----------
    shard : Shard
    master : Master
    store : Store
        Where sums and moments lie.
    plan : Plan
    options : ExchangeOptions
    sram : dict of str to int
        Weights, sums, moments and the buffers of transfers under way.
    """

    def __init__(
        self,
        shard: Shard,
        master: Master,
        store: Store,
        plan: Plan,
        options: ExchangeOptions,
        sram: dict[str, int],
    ) -> None:
        super().__init__(plan, sram)
        self.shard = shard
        self.master = master
        self.store = store
        self.options = options

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Serve a batch."""
        if not job.backward:
            return
        yield pe.barrier(BACKWARD_BARRIER)
        for _ in range(self.options.levels(len(job))):
            yield pe.barrier(TREE_BARRIER)
        yield from self._gather(pe, len(job))
        if job.update and self.master.optimiser is not None:
            yield from self._update(pe, number)

    def _gather(self, pe: ProcessingElement, samples: int) -> Generator[Any, Any, None]:
        if not self.master.keep_sums:
            self.store.clear()
        outstanding = pe.simulation.dma(pe.endpoint).max_outstanding
        tree = self.options.strategy == "tree"
        replicas = roots(samples, self.options) if tree else range(samples)
        sources = [(replica, self.shard.sources[replica]) for replica in replicas]
        dtype = self.master.weights.dtype
        yield from gather(pe, self.shard.pieces, sources, self.store, dtype, outstanding)

    def _update(self, pe: ProcessingElement, job: int) -> Generator[Any, Any, None]:
        self.master.on_stage("update")
        factor = 1.0
        if self.master.clip_norm is not None:
            squares = yield from self._squares(pe)
            factor = clip_factor(squares, self.master.clip_norm)
        yield from self.store.update(pe, self.master.scalars(job), factor)
        self.master.on_stage("broadcast")
        for net, piece in zip(self.shard.nets, self.shard.pieces, strict=True):
            broadcast(pe, net, self.master.weights[piece.start : piece.start + piece.size])

    def _squares(self, pe: ProcessingElement) -> Generator[Any, Any, float]:
        """Return the sum of squares of the whole gradient.

        It is added up from shard to shard, in the order of the weights, so that it has the bits
        of the sum over all; the last shard tells the others.
        """
        number, last = self.shard.number, self.shard.of - 1
        total = 0.0
        if number:
            total = yield from self._hear(pe, f"shard {number - 1}")
        total = yield from self.store.squares(pe, total)
        if number < last:
            pe.send(norm_net(number), [0], np.array([total], np.float64))
            total = yield from self._hear(pe, f"shard {last}")
        elif last:
            pe.send(CLIP_NET, [0], np.array([total], np.float64))
        return float(total)

    def _hear(self, pe: ProcessingElement, sender: str) -> Generator[Any, Any, float]:
        def lost(_: ProcessingElement) -> ExchangeError:
            return ExchangeError(
                f"clip: the sum of squares from {sender} never arrived at {pe.label}; look for "
                "dropped packets"
            )

        packets = yield pe.receive(1, on_stall=lost)
        return float(np.ascontiguousarray(packets.payload[0, :2]).view(np.float64)[0])
