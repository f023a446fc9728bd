"""The programs of a layer's PEs: the steps of a batch, then the exchange, if there are weights."""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.sim.pe import ProcessingElement
from eventprop_apps.exchange import TreeReducer, WeightReceiver
from eventprop_apps.programs.batches import BatchProgram, Steps
from eventprop_apps.programs.inbox import ASTRAY
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.neurons import NeuronsKernel
from eventprop_apps.programs.plan import BACKWARD_BARRIER, Job, Plan

RECEIVE_AT_ONCE = 256
"""Weight packets drained in one go, at most a quarter of the receive FIFO (by default 1,024)."""


class LayerProgram(BatchProgram):
    """Runs its layer's kernel, then takes new weights from the optimiser.

    ``sram``: weights, gradient, state and records.
    """

    def __init__(
        self,
        replica: int,
        kernel: LayerKernel,
        plan: Plan,
        weight_nets: Sequence[tuple[int, int, int]],
        sram: dict[str, int],
        reducer: TreeReducer | None = None,
    ) -> None:
        super().__init__(plan, sram)
        self.replica = replica
        self.kernel = kernel
        self.reducer = reducer
        self.receiver = WeightReceiver(
            replica, kernel.layer, kernel.state.weights[replica], weight_nets, kernel.block.part
        )

    def counters(self) -> dict[str, int]:
        """Return the packets that had no effect here."""
        return {ASTRAY: int(self.kernel.astray[self.replica])}

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Do the steps of a batch, and its exchange."""
        kernel = self.kernel
        kernel.begin(number, job, self.replica)
        yield pe.step(kernel, ticks=job.ticks(kernel.model.steps))
        if job.backward:
            yield pe.barrier(BACKWARD_BARRIER)
            if self.reducer is not None:
                yield from self.reducer.run(pe, len(job))
        if job.update:
            yield from self._new_weights(pe)

    def _new_weights(self, pe: ProcessingElement) -> Steps:
        receiver = self.receiver
        receiver.begin()
        room = pe.receive_capacity
        at_once = min(RECEIVE_AT_ONCE, max(1, room // 4)) if room else RECEIVE_AT_ONCE
        while left := receiver.left:
            packets, others = yield pe.receive_block(
                receiver.block, min(left, at_once), on_stall=receiver.lost
            )
            self.kernel.strays.stale_phase += others
            self.kernel.astray[self.replica] += others
            pe.work(weight_word=4 * packets)


class NeuronsProgram(BatchProgram):
    """Runs the neurons of a layer in slices; it has no weights to send or to get.

    ``sram``: state and records.
    """

    def __init__(
        self, replica: int, kernel: NeuronsKernel, plan: Plan, sram: dict[str, int]
    ) -> None:
        super().__init__(plan, sram)
        self.replica = replica
        self.kernel = kernel

    def counters(self) -> dict[str, int]:
        """Return the packets that had no effect here."""
        return {ASTRAY: int(self.kernel.astray[self.replica])}

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Do the steps of a batch."""
        self.kernel.begin(number, job, self.replica)
        yield pe.step(self.kernel, ticks=job.ticks(self.kernel.model.steps))
