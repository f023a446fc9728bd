"""The kernels of a run: one for each kind of PE, with a row for each replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim.simulation import Simulation
from eventprop_apps.chip_layout import Layout
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.keys import SpikeKey
from eventprop_apps.memory import input_records, output_records, own_records
from eventprop_apps.model import Model
from eventprop_apps.names import block_name, input_name, loss_name
from eventprop_apps.partition import Block, neurons_block
from eventprop_apps.programs.inbox import Strays
from eventprop_apps.programs.input import InputKernel
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.loss import LossKernel
from eventprop_apps.programs.neurons import NeuronsKernel
from eventprop_apps.programs.readout import ReadoutKernel
from eventprop_apps.programs.slices import SliceKernel
from eventprop_apps.programs.watch import number_spikes, watch_neurons
from eventprop_apps.wiring import Wiring


@dataclass(frozen=True)
class ChipKernels:
    """The kernels of a layout.

    Attributes
    ----------
    input : InputKernel
    layers : list of LayerKernel
        Those with weights, one a block.
    neurons : list of NeuronsKernel
        Those of layers in slices.
    loss : LossKernel
    """

    input: InputKernel
    layers: list[LayerKernel]
    neurons: list[NeuronsKernel]
    loss: LossKernel

    @classmethod
    def make(
        cls, layout: Layout, weights: Sequence[NDArray[Any]], nets: int, given_errors: bool
    ) -> ChipKernels:
        """Return fresh kernels.

        Parameters
        ----------
        layout : Layout
        weights : sequence of ndarray, shape (n_out, n_in)
            One array a layer; every replica gets a copy.
        nets : int
            Number of the application's nets.
        given_errors : bool
            Whether jobs carry dL/dt instead of labels.
        """
        model, replicas, records = layout.model, layout.options.replicas, layout.records
        loss = LossKernel(model, replicas, nets, output_records(model, records))
        if given_errors:
            loss.given = np.zeros((replicas, model.sizes[-1]), dtype=model.dtype)
        return cls(
            InputKernel(replicas, records[0], SpikeKey(model.sizes[0])),
            [_with_weights(layout, block, weights[block.layer], nets) for block in layout.blocks],
            [_neurons(layout, layer, nets) for layer in range(model.layers) if model.sliced(layer)],
            loss,
        )

    @property
    def of_layers(self) -> list[LayerKernel]:
        """The kernels of all layers: those with weights by block, then neurons of slices."""
        return [*self.layers, *self.neurons]

    def connect(self, simulation: Simulation, layout: Layout) -> None:
        """Give the kernels their nets and their PEs, and the trace what it wants of them."""
        model, replicas = layout.model, range(layout.options.replicas)
        wiring = Wiring(simulation, model, layout.blocks, len(replicas))
        wiring.connect_input(self.input)
        for kernel in self.of_layers:
            wiring.connect(kernel)
        wiring.connect_loss(self.loss)
        simulation.bind(self.input, [input_name(r) for r in replicas])
        for kernel in self.of_layers:
            simulation.bind(kernel, [block_name(r, kernel.block) for r in replicas])
        number_spikes(simulation, model, layout.parts)
        watch_neurons(simulation, [k for k in self.of_layers if not k.block.sliced])
        simulation.bind(self.loss, [loss_name(r) for r in replicas])

    @property
    def strays(self) -> Strays:
        """Packets without effect, over all kernels."""
        total = Strays()
        for strays in (*(kernel.strays for kernel in self.of_layers), self.loss.strays):
            total.stale_phase += strays.stale_phase
            total.unmatched_errors += strays.unmatched_errors
            total.passed_errors += strays.passed_errors
        return total


def _with_weights(layout: Layout, block: Block, weights: NDArray[Any], nets: int) -> LayerKernel:
    """Return the kernel of a block: of a slice, of spiking neurons, or of a read-out."""
    model, replicas = layout.model, layout.options.replicas
    part = np.asarray(weights, model.dtype)[block.first : block.stop, slice(*block.lines)]
    state = LayerState.make(
        np.repeat(part[None], replicas, axis=0),
        replicas,
        spike_capacity=1 if block.sliced else own_records(model, block, layout.records),
        input_capacity=input_records(model, block, layout.records),
        dtype=model.dtype,
    )
    if block.sliced:
        return SliceKernel(model, block, state, nets)
    if model.spikes(block.layer):
        return LayerKernel(model, block, state, nets)
    return ReadoutKernel(model, block, state, _readout(model, state), nets)


def _neurons(layout: Layout, layer: int, nets: int) -> NeuronsKernel:
    """Return the neurons of a layer in slices; their state has one weight a neuron, unused."""
    model, block = layout.model, neurons_block(layout.model, layer)
    state = LayerState.make(
        np.zeros((block.stop, 1)),
        layout.options.replicas,
        spike_capacity=own_records(model, block, layout.records),
        input_capacity=1,
        dtype=model.dtype,
    )
    readout = None if model.spikes(layer) else _readout(model, state)
    return NeuronsKernel(model, block, state, readout, nets)


def _readout(model: Model, state: LayerState) -> ReadoutState:
    return ReadoutState.of_loss(model.loss, state.rows, state.n_out, model.steps, model.dtype)
