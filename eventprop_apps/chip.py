"""EventProp on the simulated chip: application, mapping, programs and simulation put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.files import read as read_mapping
from chipsim.mapping.mapping import Mapping as ChipMapping
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import spread
from chipsim.mapping.strategies import Placer
from chipsim.sim.costs import Cost
from chipsim.sim.program import Program
from chipsim.sim.simulation import Simulation
from chipsim.trace.recorder import Recorder
from eventprop_apps import costs as eventprop_costs
from eventprop_apps.application import build_application
from eventprop_apps.exchange import (
    TREE_BARRIER,
    DramStore,
    ExchangeMeter,
    Master,
    Piece,
    SramStore,
    TreeReducer,
    cut,
)
from eventprop_apps.interfaces import require_chip
from eventprop_apps.kernels.readout import ReadoutState
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.keys import SpikeKey
from eventprop_apps.memory import (
    budgets,
    default_records,
    input_records,
    optimiser_advice,
    output_records,
    own_records,
    tree_buffers,
)
from eventprop_apps.model import Model
from eventprop_apps.names import (
    block_name,
    input_name,
    loss_name,
    optimiser_name,
    weights_to,
)
from eventprop_apps.optimisers.api import Optimiser
from eventprop_apps.options import ChipOptions as ChipOptions
from eventprop_apps.partition import Block, blocks, neurons_block, pack, unpack
from eventprop_apps.phases import PhaseMeter
from eventprop_apps.programs.inbox import Strays
from eventprop_apps.programs.input import InputKernel, InputProgram
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.layer_programs import LayerProgram, NeuronsProgram
from eventprop_apps.programs.loss import LossKernel, LossProgram
from eventprop_apps.programs.neurons import NeuronsKernel
from eventprop_apps.programs.optimiser import OptimiserProgram, Shard
from eventprop_apps.programs.plan import (
    BACKWARD_BARRIER,
    BATCH_BARRIER,
    BEGIN_BARRIER,
    Job,
    Plan,
    SampleFeeder,
)
from eventprop_apps.programs.readout import ReadoutKernel
from eventprop_apps.programs.slices import SliceKernel
from eventprop_apps.programs.watch import number_spikes, watch_neurons
from eventprop_apps.splitting import choose_parts, cycles_per_tick, neurons_cycles_per_tick
from eventprop_apps.traffic import Traffic
from eventprop_apps.wiring import Wiring

OnDone = Callable[[int, Job], None]


class ChipRun:
    """One EventProp network on one simulated machine.

    Parameters
    ----------
    model : Model
    machine : Machine
    weights : sequence of ndarray, shape (n_out, n_in)
        Initial weights, loaded into the PEs before the run (out of band, as program images are).
    jobs : iterator of Job
        What to do, in order.
    options : ChipOptions
    input_capacity : int
        Largest number of input spikes of a sample.
    optimiser : Optimiser, optional
        Needed where jobs update the weights; over all of them in one vector.
    clip_norm : float, optional
        Largest norm of a batch's gradient over all weights.
    given_errors : bool
        Whether jobs carry dL/dt instead of labels.
    on_done : callable, optional
        ``on_done(number, job)`` when a job is finished.
    recorder, probes, costs
        See :class:`chipsim.sim.simulation.Simulation`.
    """

    def __init__(
        self,
        model: Model,
        machine: Machine,
        weights: Sequence[NDArray[Any]],
        jobs: Iterator[Job],
        options: ChipOptions,
        *,
        input_capacity: int,
        optimiser: Optimiser | None = None,
        clip_norm: float | None = None,
        given_errors: bool = False,
        on_done: OnDone | None = None,
        recorder: Recorder | None = None,
        probes: Sequence[object] = (),
        costs: Mapping[str, Cost] | None = None,
    ) -> None:
        self.options = options
        self._on_done = on_done
        sliced = sum(model.sliced(layer) for layer in range(model.layers))
        require_chip((sum(options.parts) or model.layers) + sliced, options.replicas, machine)
        table = eventprop_costs.shipped() if costs is None else costs
        traffic = Traffic.assumed(model, per_neuron=options.expected_spikes)
        self._limit = machine.description.integer("pe.app_data_kb") * 1024
        exchange = options.exchange
        limit = self._limit - tree_buffers(exchange)
        self.parts = choose_parts(
            model, input_capacity, limit, options.parts,
            costs=table, max_cycles=options.max_cycles, traffic=traffic,
            least_records=options.least_records,
        )  # fmt: skip
        if sliced:
            slices = [n * model.sliced(layer) for layer, n in enumerate(self.parts)]
            model = replace(model, slices=tuple(slices))
        self.model = model
        self.blocks = blocks(model, self.parts)
        records = self._records(limit, input_capacity)
        outstanding = machine.description.integer("dma.max_outstanding")
        moments = 2 if optimiser is None else len(optimiser.moments())
        self.sram = budgets(
            model, input_capacity, records, outstanding, self.blocks, exchange, moments
        )
        above = (*self.parts[1:], 1)
        cycles = {
            b.name: cycles_per_tick(model, b, above[b.layer], table, traffic) for b in self.blocks
        } | {
            neurons_block(model, layer).name: neurons_cycles_per_tick(
                model, layer, above[layer], table, traffic
            )
            for layer in range(model.layers)
            if model.sliced(layer)
        }
        application = build_application(
            model, options.replicas, machine, self.sram, options.transport, self.parts, traffic,
            cycles, exchange,
        )  # fmt: skip
        self.mapping = self._map(application, machine)
        self.plan = Plan(jobs, self._job_done)
        self._make_kernels(weights, records, given_errors)
        self.master = Master(pack(weights, self.blocks, model.dtype), optimiser, clip_norm)
        programs = self._make_programs()
        self.simulation = Simulation(
            self.mapping,
            programs,
            network=options.network,
            tick_us=options.tick_us,
            level=options.level,
            timers=options.timers,
            costs=table,
            recorder=recorder,
            probes=probes,
        )
        self._connect()

    # ------------------------------------------------------------------------------ building
    def _map(self, application: Application, machine: Machine) -> ChipMapping:
        options = self.options
        if options.mapping_file:
            return read_mapping(options.mapping_file, machine, application)
        placer: str | Placer = options.placer
        if options.chips is not None:
            placer = _over_chips(options.placer, options.chips)
        try:
            mapping = map_application(application, machine, placer, options.router, options.seed)
        except MappingError as error:
            advice = optimiser_advice(self.sram, self.blocks, self._limit, options.exchange)
            if not advice:
                raise
            raise MappingError(error.subject, [*error.problems, *advice]) from error
        several = machine.chips is not None and len(machine.chips) > 1
        return mapping.with_tables() if several else mapping

    def _records(self, limit: int, input_capacity: int) -> list[int]:
        per_neuron = self.options.spike_records
        if not per_neuron:
            return default_records(self.model, input_capacity, self.blocks, limit)
        return [input_capacity, *(n * per_neuron for n in self.model.sizes[1:])]

    def _make_kernels(
        self,
        weights: Sequence[NDArray[Any]],
        records: list[int],
        given_errors: bool,
    ) -> None:
        model, replicas = self.model, self.options.replicas
        nets = len(self.mapping.application.nets)
        self.input = InputKernel(replicas, records[0], SpikeKey(model.sizes[0]))
        self.layers: list[LayerKernel] = []
        for block in self.blocks:
            whole = np.asarray(weights[block.layer], model.dtype)
            part = whole[block.first : block.stop, slice(*block.lines)]
            state = LayerState.make(
                np.repeat(part[None], replicas, axis=0),
                replicas,
                spike_capacity=1 if block.sliced else own_records(model, block, records),
                input_capacity=input_records(model, block, records),
                dtype=model.dtype,
            )
            self.layers.append(self._layer_kernel(block, state, nets))
        self.neurons = [
            self._neurons_kernel(layer, records, nets)
            for layer in range(model.layers)
            if model.sliced(layer)
        ]
        self.loss = LossKernel(model, replicas, nets, output_records(model, records))
        if given_errors:
            self.loss.given = np.zeros((replicas, model.sizes[-1]), dtype=model.dtype)

    def _layer_kernel(self, block: Block, state: LayerState, nets: int) -> LayerKernel:
        model = self.model
        if block.sliced:
            return SliceKernel(model, block, state, nets)
        if model.spikes(block.layer):
            return LayerKernel(model, block, state, nets)
        return ReadoutKernel(model, block, state, self._readout(state), nets)

    def _readout(self, state: LayerState) -> ReadoutState:
        model = self.model
        return ReadoutState.of_loss(model.loss, state.rows, state.n_out, model.steps, model.dtype)

    def _neurons_kernel(self, layer: int, records: list[int], nets: int) -> NeuronsKernel:
        """Return the neurons of a layer in slices; their state has one weight a neuron, unused."""
        model, block = self.model, neurons_block(self.model, layer)
        state = LayerState.make(
            np.zeros((block.stop, 1)),
            self.options.replicas,
            spike_capacity=own_records(model, block, records),
            input_capacity=1,
            dtype=model.dtype,
        )
        readout = None if model.spikes(layer) else self._readout(state)
        return NeuronsKernel(model, block, state, readout, nets)

    @property
    def kernels(self) -> list[LayerKernel]:
        """The kernels of all layers: those with weights by block, then neurons of slices."""
        return [*self.layers, *self.neurons]

    def _make_programs(self) -> dict[str, Program]:
        model, plan = self.model, self.plan
        placement = {str(name): int(end) for name, end in self.mapping.placement.items()}
        replicas = range(self.options.replicas)
        index = {str(net.name): i for i, net in enumerate(self.mapping.application.nets)}
        self.feeder = SampleFeeder(
            plan,
            [placement[input_name(r)] for r in replicas],
            [placement[loss_name(r)] for r in replicas],
        )
        programs: dict[str, Program] = {}
        for r in replicas:
            programs[input_name(r)] = InputProgram(
                r, self.input, plan, self.feeder, model.steps, self.sram["input"]
            )
            for number, kernel in enumerate(self.layers):
                block = kernel.block
                programs[block_name(r, block)] = LayerProgram(
                    r, kernel, plan, self._weight_nets(number, index), self.sram[block.name],
                    self._reducer(r, number, placement),
                )  # fmt: skip
            for neurons in self.neurons:
                programs[block_name(r, neurons.block)] = NeuronsProgram(
                    r, neurons, plan, self.sram[neurons.block.name]
                )
            programs[loss_name(r)] = LossProgram(r, self.loss, plan, self.feeder, self.sram["loss"])
        return programs | self._make_optimisers(placement)

    def _weight_nets(self, block: int, index: Mapping[str, int]) -> list[tuple[int, int, int]]:
        """Return the nets that bring a block's weights: number, first word, words."""
        shards, count = self._shards, self.model.word_count
        return [
            (index[self._weights_to(piece, s)], piece.first * count, piece.size * count)
            for s, own in enumerate(shards)
            for piece in own
            if piece.block == block
        ]

    def _weights_to(self, piece: Piece, shard: int) -> str:
        return weights_to(piece.layer, piece.part, shard if len(self._shards) > 1 else None)

    @property
    def _shards(self) -> list[list[Piece]]:
        return cut(self.blocks, self.options.exchange.optimisers)

    def _reducer(
        self, replica: int, block: int, placement: Mapping[str, int]
    ) -> TreeReducer | None:
        """Return a layer PE's part in the tree, if there is one."""
        options = self.options.exchange
        if options.strategy != "tree":
            return None
        own = self.blocks[block]
        return TreeReducer(
            replica,
            Piece(block, own.layer, own.part, 0, own.size, own.start),
            [placement[block_name(r, own)] for r in range(self.options.replicas)],
            self.layers[block].state.gradient[replica],
            options,
        )

    def _make_optimisers(self, placement: Mapping[str, int]) -> dict[str, Program]:
        exchange, shards = self.options.exchange, self._shards
        sources = [
            [placement[block_name(r, b)] for b in self.blocks] for r in range(self.options.replicas)
        ]
        interfaces = sorted(name for name in placement if name.startswith("dram"))
        self.stores: list[SramStore | DramStore] = []
        programs: dict[str, Program] = {}
        for s, pieces in enumerate(shards):
            name = optimiser_name(s)
            store: SramStore | DramStore = SramStore(self.master, pieces)
            if interfaces:
                end = placement[interfaces[s % len(interfaces)]]
                store = DramStore(self.master, pieces, end, name)
            self.stores.append(store)
            nets = [self._weights_to(piece, s) for piece in pieces]
            programs[name] = OptimiserProgram(
                Shard(s, len(shards), pieces, nets, sources),
                self.master, store, self.plan, exchange, self.sram[name],
            )  # fmt: skip
        return programs

    def _connect(self) -> None:
        """Give kernels their nets, memories their arrays, barriers their members."""
        simulation = self.simulation
        replicas = range(self.options.replicas)
        for r in replicas:
            self._map_memory(r)
        wiring = Wiring(simulation, self.model, self.blocks, self.options.replicas)
        wiring.connect_input(self.input)
        for kernel in self.kernels:
            wiring.connect(kernel)
        wiring.connect_loss(self.loss)
        self.loss.on_errors = self._backward_begins
        simulation.bind(self.input, [input_name(r) for r in replicas])
        for kernel in self.kernels:
            simulation.bind(kernel, [block_name(r, kernel.block) for r in replicas])
        number_spikes(simulation, self.model, self.parts)
        watch_neurons(simulation, [k for k in self.kernels if not k.block.sliced])
        simulation.bind(self.loss, [loss_name(r) for r in replicas])
        for store in self.stores:
            if isinstance(store, DramStore):
                memory = simulation.memory(store.endpoint).sram
                for region, array in store.regions().items():
                    memory.reserve(region, array.nbytes)
                    memory.map(region, array)
        self._declare_barriers()

    def _backward_begins(self) -> None:
        self.simulation.tracer.enter("backward", self.plan.done)
        self.phases.enter("backward")

    def _map_memory(self, replica: int) -> None:
        pes = self.simulation.pes
        for buffer in range(2):
            for name, region in (
                (input_name(replica), f"sample{buffer}"),
                (loss_name(replica), f"target{buffer}"),
            ):
                sram = pes[name].sram
                sram.map(region, np.zeros(sram.regions[region] // 4, dtype=np.uint32))
        for kernel in self.layers:
            sram = pes[block_name(replica, kernel.block)].sram
            sram.map("gradient", kernel.state.gradient[replica])

    def _declare_barriers(self) -> None:
        simulation = self.simulation
        replicas = range(self.options.replicas)
        layers = [block_name(r, b) for r in replicas for b in self.blocks]
        simulation.add_barrier(BEGIN_BARRIER, list(simulation.pes))
        optimisers = [optimiser_name(s) for s in range(self.options.exchange.optimisers)]
        backward = simulation.add_barrier(BACKWARD_BARRIER, [*layers, *optimisers])
        if self.options.exchange.strategy == "tree":
            simulation.add_barrier(TREE_BARRIER, [*layers, *optimisers])
        backward.on_release.append(lambda _: simulation.tracer.enter("exchange", self.plan.done))
        self.phases = PhaseMeter(simulation)
        backward.on_release.append(lambda _: self.phases.enter("gather"))
        self.master.on_stage = self.phases.enter
        batch = simulation.add_barrier(BATCH_BARRIER, list(simulation.pes))
        # Before the batch is over for the plan, whose checkpoint holds what the meter has.
        self.exchange_meter = ExchangeMeter(simulation, backward, batch, self.options.exchange)
        batch.on_release.append(lambda _: self.plan.finish())

    def _job_done(self, number: int, job: Job) -> None:
        for kernel in self.kernels:
            kernel.check_records()
        self.simulation.tracer.enter("forward", number + 1)
        self.phases.done(len(job), job.backward)
        self._phase_of(number + 1)
        self.simulation.tracer.flush()
        if self._on_done is not None:
            self._on_done(number, job)
        self.feeder.load(self.simulation, number + 2)

    def _phase_of(self, number: int) -> None:
        """Enter the phase with which a job begins, if there is such a job."""
        job = self.plan.job(number)
        if job is not None:
            self.phases.enter("forward" if job.backward else "test")

    # ------------------------------------------------------------------------------- running
    def run(self) -> None:
        """Work through all jobs, or those after a checkpoint."""
        start = self.plan.start
        if start == 0:
            self.simulation.tracer.enter("forward", 0)
            self._phase_of(0)
            self.feeder.load(self.simulation, 0)
        self.feeder.load(self.simulation, start + 1)
        self.simulation.run()

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The optimiser's weights, one array of shape (n_out, n_in) a layer (copies)."""
        return self._by_layer(self.master.weights)

    @property
    def gradients(self) -> list[NDArray[Any]]:
        """The gradients gathered last, one array of shape (n_out, n_in) a layer (copies)."""
        return self._by_layer(self.master.sums)

    def _by_layer(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the blocks' values as one array a layer (copies)."""
        shapes = [self.model.shape(layer) for layer in range(self.model.layers)]
        arrays = [np.empty(shape, flat.dtype) for shape in shapes]
        unpack(flat, self.blocks, arrays)
        return arrays

    def batch_loss(self, samples: int) -> float:
        """Return the loss of the job just done: samples ascending, then regularisers by layer."""
        total = float(sum(self.loss.loss[:samples].tolist()))
        for layer, regulariser in enumerate(self.model.regularisers):
            if regulariser is not None and regulariser.acts:
                parts = [k.shares[:samples] for k in self.kernels if k.layer == layer]
                total += float(sum(sum(parts[1:], parts[0]).tolist()))
        return total

    def assumptions(self) -> list[dict[str, Any]]:
        """Return the assumed figures of the mapping that are the application's own."""
        return self.options.assumptions()

    @property
    def strays(self) -> Strays:
        """Packets without effect, over all programs."""
        total = Strays()
        for strays in (*(kernel.strays for kernel in self.kernels), self.loss.strays):
            total.stale_phase += strays.stale_phase
            total.unmatched_errors += strays.unmatched_errors
            total.passed_errors += strays.passed_errors
        return total


def _over_chips(placer: str, chips: int) -> Placer:
    """Return the placer that uses so many chips."""
    if placer != "spread":
        raise MappingError(
            "mapping",
            [
                f"mapping.chips = {chips}: the placer spread uses so many chips, {placer} knows "
                'nothing of it; take mapping.placer = "spread"'
            ],
        )
    return partial(spread.place, chips=chips)
