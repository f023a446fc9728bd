"""What a trace shows of the neurons themselves: whose spikes are whose, membranes and adjoints."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import TraceError, did_you_mean
from chipsim.sim.program import StepCall
from chipsim.sim.simulation import Simulation
from eventprop_apps.keys import bits_for
from eventprop_apps.model import Model
from eventprop_apps.names import layer_name, spikes_from
from eventprop_apps.programs.layer import LayerKernel

_FORM = re.compile(r"(?P<vertex>[^:]+)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?")
_VOLTAGE, _ADJOINT = 1, 3


class NeuronWatch:
    """Writes the state of chosen neurons of one kernel after each of its steps.

    Forward steps give ``membrane`` (V after the step), backward steps ``adjoint`` (lambda_V).

    Parameters
    ----------
    simulation : Simulation
    kernel : LayerKernel
    row, neuron, vertex : ndarray of int64, shape (n,)
        Row of the kernel's state, neuron in the block, number of the vertex.
    """

    def __init__(
        self,
        simulation: Simulation,
        kernel: LayerKernel,
        row: NDArray[np.int64],
        neuron: NDArray[np.int64],
        vertex: NDArray[np.int64],
    ) -> None:
        self.simulation = simulation
        self.kernel = kernel
        self.row, self.neuron, self.vertex = row, neuron, vertex

    def __call__(self, call: StepCall, local: int) -> None:
        """Write what the rows of a call hold now."""
        steps = self.kernel.model.steps
        if local == steps:
            return
        quantity, which = ("membrane", _VOLTAGE) if local < steps else ("adjoint", _ADJOINT)
        mine = np.isin(self.row, call.rows) & (self.kernel.sample[self.row] >= 0)
        if not mine.any():
            return
        row, neuron = self.row[mine], self.neuron[mine]
        self.simulation.tracer.observer.samples(
            quantity,
            self.vertex[mine],
            neuron + self.kernel.block.first,
            call.tick,
            self.kernel.sample[row],
            self.kernel.state.neuron[row, which, neuron],
        )


def watch_neurons(simulation: Simulation, kernels: Sequence[LayerKernel]) -> None:
    """Let kernels write the neurons that ``trace.membrane`` asks for.

    Raises
    ------
    TraceError
        If an entry has another form, or names a vertex or neuron that there is not.
    """
    wanted = simulation.tracer.recorder.wanted
    if not wanted or not simulation.tracer.recorder.writes_packets:
        return
    known = [
        (kernel, row, layer_name(row, kernel.layer, kernel.block.part))
        for kernel in kernels
        for row in range(kernel.state.rows)
    ]
    chosen: dict[int, list[tuple[int, int, int]]] = {}
    for entry in wanted:
        for at, row, neuron, name in _choose(entry, known):
            chosen.setdefault(at, []).append((row, neuron, simulation.vertex_number[name]))
    for kernel in kernels:
        found = sorted(set(chosen.get(id(kernel), [])))
        if found:
            kernel.watch = NeuronWatch(simulation, kernel, *np.array(found, dtype=np.int64).T)


def _choose(
    entry: str, known: list[tuple[LayerKernel, int, str]]
) -> list[tuple[int, int, int, str]]:
    """Return (kernel, row, neuron in the block, vertex) of an entry's neurons."""
    form = _FORM.fullmatch(entry)
    if form is None:
        raise TraceError(
            f"trace.membrane: got {entry!r}, expected VERTEX, VERTEX:NEURON or VERTEX:FIRST-LAST"
        )
    vertex = form["vertex"]
    mine = [k for k in known if vertex in (k[2], k[2].partition("/")[2])]
    if not mine:
        names = dict.fromkeys(name.partition("/")[2] for _, _, name in known)
        hint = did_you_mean(vertex, [*names, *(name for _, _, name in known)])
        raise TraceError(
            f"trace.membrane: no neurons on a vertex {vertex!r}{hint}; there are "
            f"{', '.join(names)} (of all replicas), or one replica's, such as {known[0][2]}"
        )
    found = []
    for kernel, row, name in mine:
        block = kernel.block
        first = block.first if form["first"] is None else int(form["first"])
        last = int(form["last"] or first) if form["first"] else block.stop - 1
        if not block.first <= first <= last < block.stop:
            raise TraceError(
                f"trace.membrane: got {entry!r}, but {name} holds the neurons {block.first} to "
                f"{block.stop - 1}"
            )
        found += [(id(kernel), row, n - block.first, name) for n in range(first, last + 1)]
    return found


def number_spikes(simulation: Simulation, model: Model, parts: Sequence[int]) -> None:
    """Tell the trace which bits of a spike's key number its neuron."""
    bits = {
        spikes_from(0, layer, part).partition("/")[2]: bits_for(model.sizes[layer + 1])
        for layer in range(-1, model.layers)
        for part in range(parts[layer] if layer >= 0 else 1)
    }
    for name, number in simulation.net_index.items():
        spikes = name.partition("/")[2].partition("-to.")[0]
        if (found := bits.get(spikes)) is not None:
            simulation.tracer.observer.number_neurons(number, found)
