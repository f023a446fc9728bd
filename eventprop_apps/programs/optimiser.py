"""The optimiser program: gathers gradients, updates the weights, broadcasts them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Effect, Program
from eventprop_apps.exchange import broadcast, gather
from eventprop_apps.model import Model
from eventprop_apps.optimisers.adam import Adam
from eventprop_apps.programs.plan import BACKWARD_BARRIER, BATCH_BARRIER, BEGIN_BARRIER, Plan


class OptimiserProgram(Program):
    """Holds the master copy of the weights and the optimiser's state.

    Parameters
    ----------
    model : Model
    weights : list of ndarray, shape (n_out, n_in)
        Initial weights, in the model's dtype; copied into one vector.
    adam : Adam or None
        None gathers only (gradients for whoever reads them).
    plan : Plan
    sources : list of list of int
        Endpoints of the layer programs, by replica and layer.
    nets : list of str
        Weight nets, by layer.
    sram : dict of str to int

    Attributes
    ----------
    sums : list of ndarray, shape (n_out * n_in,)
        Gathered gradients of the current batch.
    """

    def __init__(
        self,
        model: Model,
        weights: list[NDArray[Any]],
        adam: Adam | None,
        plan: Plan,
        sources: list[list[int]],
        nets: list[str],
        sram: dict[str, int],
    ) -> None:
        self.model = model
        self.weights = [np.array(w, dtype=model.dtype).reshape(-1) for w in weights]
        self.sums = [np.zeros(len(w), dtype=model.dtype) for w in self.weights]
        self.adam = adam
        self.plan = plan
        self.sources = sources
        self.nets = nets
        self.keep_sums = False
        self._sram = sram

    def sram(self) -> dict[str, int]:
        """Return weights, sums, moments and the buffers of reads under way."""
        return self._sram

    def run(self, pe: ProcessingElement) -> Generator[Effect, Any, None]:
        """Serve one batch a job."""
        number = 0
        yield pe.barrier(BEGIN_BARRIER)
        while (job := self.plan.job(number)) is not None:
            if job.backward:
                yield pe.barrier(BACKWARD_BARRIER)
                yield from self._exchange(pe, len(job), job.update)
            yield pe.barrier(BATCH_BARRIER)
            number += 1

    def _exchange(
        self, pe: ProcessingElement, samples: int, update: bool
    ) -> Generator[Any, Any, None]:
        if not self.keep_sums:
            for total in self.sums:
                total[:] = 0
        outstanding = pe.simulation.dma(pe.endpoint).max_outstanding
        yield from gather(pe, self.model, self.sources[:samples], self.sums, outstanding)
        if not update or self.adam is None:
            return
        scalars = self.adam.next_scalars()
        start = 0
        for weights, total in zip(self.weights, self.sums, strict=True):
            self.adam.update_part(weights, total, start, scalars)
            start += len(weights)
        self.adam.updates += 1
        yield pe.compute(adam_update=start)
        for net, weights in zip(self.nets, self.weights, strict=True):
            broadcast(pe, net, weights)
