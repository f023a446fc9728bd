"""EventProp on the simulated chip: application, mapping, programs and simulation put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Transport
from chipsim.mapping.mapping import Mapping as ChipMapping
from chipsim.mapping.mapping import map_application
from chipsim.sim.costs import Cost
from chipsim.sim.program import Program
from chipsim.sim.simulation import Simulation
from chipsim.trace.recorder import Recorder
from eventprop_apps import costs as eventprop_costs
from eventprop_apps.application import (
    OPTIMISER,
    build_application,
    errors_to,
    input_name,
    layer_name,
    loss_name,
    require_chip,
    spikes_from,
    weights_to,
)
from eventprop_apps.kernels.state import LayerState
from eventprop_apps.keys import SpikeKey
from eventprop_apps.memory import budgets, default_records
from eventprop_apps.model import Model
from eventprop_apps.optimisers.adam import Adam
from eventprop_apps.programs.inbox import Strays
from eventprop_apps.programs.input import InputKernel, InputProgram
from eventprop_apps.programs.layer import LayerKernel, LayerProgram
from eventprop_apps.programs.loss import LossKernel, LossProgram
from eventprop_apps.programs.optimiser import OptimiserProgram
from eventprop_apps.programs.plan import (
    BACKWARD_BARRIER,
    BATCH_BARRIER,
    BEGIN_BARRIER,
    Job,
    Plan,
    SampleFeeder,
)

OnDone = Callable[[int, Job], None]


@dataclass(frozen=True)
class ChipOptions:
    """How the chip runs a network; the same for ``chipsim run`` and ``evaluate``.

    Attributes
    ----------
    replicas : int
        Samples in parallel.
    transport : str
        Of spikes and errors: ``noc_direct`` or ``router_multicast``.
    network : str
        ``compiled`` or ``simpy``.
    placer, router : str
        Mapping strategies.
    seed : int
    tick_us : float or None
        Tick length [us]; the chip's default if None.
    level : str or None
        Clock level of the PEs.
    spike_records : int
        Spikes that a PE can record per neuron and sample; 0: one per time step, or what fits.
    """

    replicas: int
    transport: Transport = "noc_direct"
    network: str = "compiled"
    placer: str = "paper"
    router: str = "default"
    seed: int = 0
    tick_us: float | None = None
    level: str | None = None
    spike_records: int = 0


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
    adam : Adam, optional
        Needed where jobs update the weights.
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
        adam: Adam | None = None,
        given_errors: bool = False,
        on_done: OnDone | None = None,
        recorder: Recorder | None = None,
        probes: Sequence[object] = (),
        costs: Mapping[str, Cost] | None = None,
    ) -> None:
        self.model = model
        self.options = options
        self._on_done = on_done
        require_chip(model, options.replicas, machine)
        outstanding = machine.description.integer("dma.max_outstanding")
        records = self._records(machine, input_capacity)
        self.sram = budgets(model, input_capacity, records, outstanding)
        application = build_application(
            model, options.replicas, machine, self.sram, options.transport
        )
        self.mapping: ChipMapping = map_application(
            application, machine, options.placer, options.router, options.seed
        )
        self.plan = Plan(jobs, self._job_done)
        self._make_kernels(weights, records, input_capacity, given_errors)
        programs = self._make_programs(weights, adam)
        self.simulation = Simulation(
            self.mapping,
            programs,
            network=options.network,
            tick_us=options.tick_us,
            level=options.level,
            costs=eventprop_costs.shipped() if costs is None else costs,
            recorder=recorder,
            probes=probes,
        )
        self._connect()

    # ------------------------------------------------------------------------------ building
    def _records(self, machine: Machine, input_capacity: int) -> list[int]:
        per_neuron = self.options.spike_records
        if not per_neuron:
            limit = machine.description.integer("pe.app_data_kb") * 1024
            return default_records(self.model, input_capacity, limit)
        return [input_capacity, *(n * per_neuron for n in self.model.sizes[1:])]

    def _make_kernels(
        self,
        weights: Sequence[NDArray[Any]],
        records: list[int],
        input_capacity: int,
        given_errors: bool,
    ) -> None:
        model, replicas = self.model, self.options.replicas
        nets = len(self.mapping.application.nets)
        self.input = InputKernel(replicas, input_capacity, SpikeKey(model.sizes[0]))
        self.layers = []
        for layer in range(model.layers):
            own = np.repeat(np.asarray(weights[layer], model.dtype)[None], replicas, axis=0)
            state = LayerState.make(
                own,
                replicas,
                spike_capacity=records[layer + 1],
                input_capacity=records[layer],
                dtype=model.dtype,
            )
            self.layers.append(LayerKernel(model, layer, state, nets))
        self.loss = LossKernel(model, replicas, nets)
        if given_errors:
            self.loss.given = np.zeros((replicas, model.sizes[-1]), dtype=model.dtype)

    def _make_programs(
        self, weights: Sequence[NDArray[Any]], adam: Adam | None
    ) -> dict[str, Program]:
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
            for layer, kernel in enumerate(self.layers):
                programs[layer_name(r, layer)] = LayerProgram(
                    r, kernel, plan, index[weights_to(layer)], self.sram[f"layer{layer}"]
                )
            programs[loss_name(r)] = LossProgram(r, self.loss, plan, self.feeder, self.sram["loss"])
        sources = [[placement[layer_name(r, i)] for i in range(model.layers)] for r in replicas]
        nets = [weights_to(layer) for layer in range(model.layers)]
        self.optimiser = OptimiserProgram(
            model, list(weights), adam, plan, sources, nets, self.sram["optimiser"]
        )
        programs[OPTIMISER] = self.optimiser
        return programs

    def _connect(self) -> None:
        """Give kernels their nets, memories their arrays, barriers their members."""
        simulation, model = self.simulation, self.model
        replicas = range(self.options.replicas)
        for r in replicas:
            self._map_memory(r)
        self.input.plan = simulation.send_plan([spikes_from(r, -1) for r in replicas])
        for layer, kernel in enumerate(self.layers):
            kernel.spikes_out = simulation.send_plan([spikes_from(r, layer) for r in replicas])
            if layer > 0:
                names = [errors_to(r, layer - 1) for r in replicas]
                kernel.errors_out = simulation.send_plan(names)
            for r in replicas:
                kernel.is_spike[simulation.net_index[spikes_from(r, layer - 1)]] = True
                kernel.is_error[simulation.net_index[errors_to(r, layer)]] = True
        last = model.layers - 1
        self.loss.errors = simulation.send_plan([errors_to(r, last) for r in replicas])
        for r in replicas:
            self.loss.is_spike[simulation.net_index[spikes_from(r, last)]] = True
        self.loss.on_errors = lambda: simulation.tracer.enter("backward", self.plan.done)
        simulation.bind(self.input, [input_name(r) for r in replicas])
        for layer, kernel in enumerate(self.layers):
            simulation.bind(kernel, [layer_name(r, layer) for r in replicas])
        simulation.bind(self.loss, [loss_name(r) for r in replicas])
        self._declare_barriers()

    def _map_memory(self, replica: int) -> None:
        pes = self.simulation.pes
        for buffer in range(2):
            for name, region in (
                (input_name(replica), f"sample{buffer}"),
                (loss_name(replica), f"target{buffer}"),
            ):
                sram = pes[name].sram
                sram.map(region, np.zeros(sram.regions[region] // 4, dtype=np.uint32))
        for layer, kernel in enumerate(self.layers):
            sram = pes[layer_name(replica, layer)].sram
            sram.map("gradient", kernel.state.gradient[replica])

    def _declare_barriers(self) -> None:
        simulation = self.simulation
        replicas = range(self.options.replicas)
        layers = [layer_name(r, i) for r in replicas for i in range(self.model.layers)]
        simulation.add_barrier(BEGIN_BARRIER, list(simulation.pes))
        backward = simulation.add_barrier(BACKWARD_BARRIER, [*layers, OPTIMISER])
        backward.on_release.append(lambda _: simulation.tracer.enter("exchange", self.plan.done))
        batch = simulation.add_barrier(BATCH_BARRIER, list(simulation.pes))
        batch.on_release.append(lambda _: self.plan.finish())

    def _job_done(self, number: int, job: Job) -> None:
        for kernel in self.layers:
            kernel.check_records()
        self.simulation.tracer.enter("forward", number + 1)
        self.simulation.tracer.flush()
        self.feeder.load(self.simulation, number + 2)
        if self._on_done is not None:
            self._on_done(number, job)

    # ------------------------------------------------------------------------------- running
    def run(self) -> None:
        """Work through all jobs."""
        self.simulation.tracer.enter("forward", 0)
        self.feeder.load(self.simulation, 0)
        self.feeder.load(self.simulation, 1)
        self.simulation.run()

    @property
    def weights(self) -> list[NDArray[Any]]:
        """The optimiser's weights, one array of shape (n_out, n_in) a layer (copies)."""
        return [
            flat.reshape(self.model.shape(layer)).copy()
            for layer, flat in enumerate(self.optimiser.weights)
        ]

    @property
    def gradients(self) -> list[NDArray[Any]]:
        """The gradients gathered last, one array of shape (n_out, n_in) a layer (copies)."""
        return [
            flat.reshape(self.model.shape(layer)).copy()
            for layer, flat in enumerate(self.optimiser.sums)
        ]

    @property
    def strays(self) -> Strays:
        """Packets without effect, over all programs."""
        total = Strays()
        for strays in (*(kernel.strays for kernel in self.layers), self.loss.strays):
            total.stale_phase += strays.stale_phase
            total.unmatched_errors += strays.unmatched_errors
            total.passed_errors += strays.passed_errors
        return total
