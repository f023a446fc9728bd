"""Which nets the kernels of a run listen to and send on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chipsim.sim.simulation import Simulation
from eventprop_apps.application import errors_to, own_errors_to, spikes_from
from eventprop_apps.keys import ErrorKey, SpikeKey
from eventprop_apps.model import Model
from eventprop_apps.partition import bounds
from eventprop_apps.programs.input import InputKernel
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.loss import LossKernel
from eventprop_apps.programs.ports import ErrorTargets


@dataclass(frozen=True)
class Wiring:
    """Connects kernels to the nets of `eventprop_apps.application`.

    Attributes
    ----------
    simulation : Simulation
    model : Model
    parts : sequence of int
        PEs of each layer.
    replicas : int
    """

    simulation: Simulation
    model: Model
    parts: Sequence[int]
    replicas: int

    def connect_input(self, kernel: InputKernel) -> None:
        """Give the input kernel its nets."""
        names = [spikes_from(r, -1) for r in range(self.replicas)]
        kernel.plan = self.simulation.send_plan(names)

    def connect_layer(self, kernel: LayerKernel) -> None:
        """Give a part of a layer its spikes and errors, in the order of their sums."""
        model, layer, part = self.model, kernel.layer, kernel.block.part
        below = self.parts[layer - 1] if layer else 1
        above = self.parts[layer + 1] if layer + 1 < model.layers else 1
        key = SpikeKey(model.sizes[layer])
        for source in range(below):
            kernel.spikes_in.add(self._nets(spikes_from, layer - 1, source), key)
        for sender in range(above):
            kernel.errors_in.add(self._nets(errors_to, layer, part, sender))
        if model.recurrent[layer]:
            for source in range(self.parts[layer]):
                nets = self._nets(spikes_from, layer, source)
                kernel.spikes_in.add(nets, kernel.key_out, model.sizes[layer])
                kernel.errors_in.add(self._nets(own_errors_to, layer, part, source))
            kernel.errors_own = self._targets(own_errors_to, layer, part)
        names = [spikes_from(r, layer, part) for r in range(self.replicas)]
        kernel.spikes_out = self.simulation.send_plan(names)
        if layer:
            kernel.errors_below = self._targets(errors_to, layer - 1, part)

    def connect_loss(self, kernel: LossKernel) -> None:
        """Give the loss kernel the output layer's spikes, and the way back."""
        last = self.model.layers - 1
        for part in range(self.parts[last]):
            key = SpikeKey(self.model.sizes[-1])
            kernel.spikes_in.add(self._nets(spikes_from, last, part), key)
        kernel.errors = self._targets(errors_to, last, 0)

    def _nets(self, name: Callable[..., str], *where: int) -> list[int]:
        """Return the numbers of one net of each replica."""
        index = self.simulation.net_index
        return [index[name(r, *where)] for r in range(self.replicas)]

    def _targets(self, name: Callable[..., str], layer: int, sender: int) -> ErrorTargets:
        """Return where part ``sender`` of a program sends the errors of a layer's spikes."""
        plans = [
            self.simulation.send_plan([name(r, layer, part, sender) for r in range(self.replicas)])
            for part in range(self.parts[layer])
        ]
        neurons = self.model.sizes[layer + 1]
        ends = bounds(neurons, self.parts[layer])
        return ErrorTargets(ErrorKey(neurons, self.model.steps), plans, ends)
