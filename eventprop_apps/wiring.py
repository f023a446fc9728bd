"""Which nets the kernels of a run listen to and send on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chipsim.sim.sends import SendPlan
from chipsim.sim.simulation import Simulation
from eventprop_apps.keys import ErrorKey, SpikeKey
from eventprop_apps.model import Model
from eventprop_apps.names import (
    currents_from,
    errors_to,
    jumps_from,
    own_errors_to,
    spikes_from,
    spikes_to_slice,
)
from eventprop_apps.partition import Block, neurons_block
from eventprop_apps.programs.input import InputKernel
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.loss import LossKernel
from eventprop_apps.programs.neurons import NeuronsKernel
from eventprop_apps.programs.ports import ErrorTargets, SpikeTargets
from eventprop_apps.programs.slices import SliceKernel


@dataclass(frozen=True)
class Wiring:
    """Connects kernels to the nets of `eventprop_apps.nets`.

    Attributes
    ----------
    simulation : Simulation
    model : Model
    blocks : sequence of Block
        Of a replica.
    replicas : int
    """

    simulation: Simulation
    model: Model
    blocks: Sequence[Block]
    replicas: int

    # -------------------------------------------------------------------------------- kernels
    def connect_input(self, kernel: InputKernel) -> None:
        """Give the input kernel its nets."""
        kernel.spikes_out = self._spikes_out(-1, 0, 0, self.model.sizes[0])

    def connect(self, kernel: LayerKernel) -> None:
        """Give a layer's kernel of whichever kind its nets."""
        if isinstance(kernel, SliceKernel):
            self.connect_slice(kernel)
        elif isinstance(kernel, NeuronsKernel):
            self.connect_neurons(kernel)
        else:
            self.connect_layer(kernel)

    def connect_layer(self, kernel: LayerKernel) -> None:
        """Give a part of a layer its spikes and errors, in the order of their sums."""
        self._weights_in(kernel)
        self._neurons_out(kernel)

    def connect_slice(self, kernel: SliceKernel) -> None:
        """Give a slice the spikes on its lines, the neurons' jumps, and its ways out."""
        self._weights_in(kernel)
        kernel.jumps_in.add(self._nets(jumps_from, kernel.layer))
        kernel.currents_out = self._plan(currents_from, kernel.block)

    def connect_neurons(self, kernel: NeuronsKernel) -> None:
        """Give the neurons of a layer in slices their currents, errors, and ways out."""
        for block in self._of(kernel.layer):
            kernel.currents_in.add(self._nets(currents_from, block))
        kernel.jumps_out = self._plan(jumps_from, kernel.layer)
        self._neurons_out(kernel)

    def connect_loss(self, kernel: LossKernel) -> None:
        """Give the loss kernel the output layer's spikes, and the way back."""
        last = self.model.layers - 1
        for part, _ in self._owners(last):
            key = SpikeKey(self.model.sizes[-1])
            kernel.spikes_in.add(self._nets(spikes_from, last, part), key)
        kernel.errors = self._targets(errors_to, last, 0, None, 0)

    # ---------------------------------------------------------------------------------- parts
    def _of(self, layer: int) -> list[Block]:
        """Return the blocks of a layer's weights."""
        return [block for block in self.blocks if block.layer == layer]

    def _owners(self, layer: int) -> list[tuple[int, Block]]:
        """Return the parts with a layer's neurons: their number and block."""
        if self.model.sliced(layer):
            return [(0, neurons_block(self.model, layer))]
        return [(block.part, block) for block in self._of(layer)]

    def _senders(self, layer: int) -> Iterator[tuple[int, int, int]]:
        """Yield the parts of a layer's neurons, and which; -1 is the input."""
        if layer < 0:
            yield 0, 0, self.model.sizes[0]
            return
        for part, block in self._owners(layer):
            yield part, block.first, block.stop

    def _weights_in(self, kernel: LayerKernel) -> None:
        """Connect what a PE with weights hears and answers: the layer below, then its own."""
        model, layer, block = self.model, kernel.layer, kernel.block
        self._hear(kernel, layer - 1, 0)
        if layer:
            kernel.errors_below = self._targets(errors_to, layer - 1, block.part, block, 0)
        if model.recurrent[layer]:
            self._hear(kernel, layer, model.sizes[layer])
            kernel.errors_own = self._targets(
                own_errors_to, layer, block.part, block, model.sizes[layer]
            )

    def _hear(self, kernel: LayerKernel, source: int, line: int) -> None:
        """Expect the spikes of a layer whose neuron 0 is input line ``line``."""
        block = kernel.block
        for part, first, stop in self._senders(source):
            low, high = block.heard(first, stop, line)
            if low < high:
                nets = self._nets(*self._spike_net(source, part, block))
                key = SpikeKey(self.model.sizes[source + 1])
                kernel.spikes_in.add(nets, key, line - block.lines[0])

    def _neurons_out(self, kernel: LayerKernel) -> None:
        """Connect what a PE with neurons sends, and the errors that it gets for it."""
        model, layer, block = self.model, kernel.layer, kernel.block
        sources = [(errors_to, layer + 1, 0)]
        if model.recurrent[layer]:
            sources.append((own_errors_to, layer, model.sizes[layer]))
        for name, target, line in sources:
            takers = self._of(target) if target < model.layers else [None]
            for sender, taker in enumerate(takers):
                if taker is None or _overlap(taker, block, line):
                    nets = self._nets(name, layer, block.part, sender)
                    kernel.errors_in.add(nets)
        kernel.spikes_out = self._spikes_out(layer, block.part, block.first, block.stop)

    def _spike_net(self, layer: int, part: int, block: Block) -> tuple[Any, ...]:
        """Return the net from a layer's part to a block: what names it, and its arguments."""
        if block.sliced:
            return spikes_to_slice, layer, part, block
        return spikes_from, layer, part

    def _spikes_out(self, layer: int, part: int, first: int, stop: int) -> SpikeTargets:
        """Return where the spikes of some neurons of a layer go."""
        targets = [(layer + 1, 0)]
        if layer >= 0 and self.model.recurrent[layer]:
            targets.append((layer, self.model.sizes[layer]))
        slices, everywhere = [], None
        for target, line in targets:
            if target == self.model.layers or not self.model.sliced(target):
                everywhere = self._plan(spikes_from, layer, part)
                continue
            for block in self._of(target):
                low, high = block.heard(first, stop, line)
                if low < high:
                    plan = self._plan(spikes_to_slice, layer, part, block)
                    slices.append((plan, low, high))
        return SpikeTargets(everywhere, slices)

    def _targets(
        self, name: Callable[..., str], layer: int, sender: int, block: Block | None, line: int
    ) -> ErrorTargets | None:
        """Return where part ``sender`` of a program sends the errors of a layer's spikes."""
        plans = [
            (self._plan(name, layer, part, sender), own.first, own.stop)
            for part, own in self._owners(layer)
            if block is None or _overlap(block, own, line)
        ]
        key = ErrorKey(self.model.sizes[layer + 1], self.model.steps)
        return ErrorTargets(key, plans) if plans else None

    def _nets(self, name: Callable[..., str], *where: Any) -> list[int]:
        """Return the numbers of one net of each replica."""
        return [self.simulation.net_index[name(r, *where)] for r in range(self.replicas)]

    def _plan(self, name: Callable[..., str], *where: Any) -> SendPlan:
        """Return the plan that sends on one net of each replica."""
        return self.simulation.send_plan([name(r, *where) for r in range(self.replicas)])


def _overlap(taker: Block, owner: Block, line: int) -> bool:
    """Return whether neurons of ``owner`` spike on input lines that ``taker`` has."""
    low, high = taker.heard(owner.first, owner.stop, line)
    return low < high
