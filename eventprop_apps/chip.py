"""EventProp on the simulated chip: application, mapping, programs and simulation put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.sim.costs import Cost
from chipsim.sim.program import Program
from chipsim.sim.simulation import Simulation
from chipsim.trace.recorder import Recorder
from eventprop_apps import costs as eventprop_costs
from eventprop_apps.chip_kernels import ChipKernels
from eventprop_apps.chip_layout import Layout
from eventprop_apps.chip_programs import ChipPrograms
from eventprop_apps.exchange import TREE_BARRIER, ExchangeMeter, Master
from eventprop_apps.model import Model
from eventprop_apps.names import block_name, input_name, loss_name, optimiser_name
from eventprop_apps.optimisers.api import Optimiser
from eventprop_apps.options import ChipOptions as ChipOptions
from eventprop_apps.partition import pack, unpack
from eventprop_apps.phases import PhaseMeter
from eventprop_apps.programs.inbox import Strays
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.plan import (
    BACKWARD_BARRIER,
    BATCH_BARRIER,
    BEGIN_BARRIER,
    Job,
    Plan,
)

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
        table = eventprop_costs.shipped() if costs is None else costs
        moments = 2 if optimiser is None else len(optimiser.moments())
        layout = Layout.make(model, machine, options, input_capacity, table, moments)
        self.model, self.parts, self.blocks = layout.model, layout.parts, layout.blocks
        self.mapping = layout.mapping(self._beside(layout.application(table)))
        self.plan = Plan(jobs, self._job_done)
        nets = len(self.mapping.application.nets)
        kernels = ChipKernels.make(layout, weights, nets, given_errors)
        self._kernels, self.input, self.layers = kernels, kernels.input, kernels.layers
        self.loss = kernels.loss
        self.loss.on_errors = self._backward_begins
        self.master = Master(pack(weights, self.blocks, self.model.dtype), optimiser, clip_norm)
        programs = ChipPrograms(layout, self.mapping, kernels, self.plan, self.master)
        self.feeder = programs.feeder
        self.simulation = Simulation(
            self.mapping,
            programs.by_vertex | self._programs_beside(),
            network=options.network,
            tick_us=options.tick_us,
            level=options.level,
            timers=options.timers,
            costs=table,
            recorder=recorder,
            probes=probes,
        )
        self._map_memories()
        kernels.connect(self.simulation, layout)
        programs.map_dram(self.simulation)
        self._declare_barriers()
        self._connect_beside()

    # ---------------------------------------------------- for runs with more on their machine
    def _beside(self, application: Application) -> Application:
        """Return the application with what else is to be mapped."""
        return application

    def _programs_beside(self) -> dict[str, Program]:
        """Return the programs of the vertices that are no part of the network."""
        return {}

    def _connect_beside(self) -> None:
        """Connect their kernels."""

    # ------------------------------------------------------------------------------ building
    @property
    def kernels(self) -> list[LayerKernel]:
        """The kernels of all layers: those with weights by block, then neurons of slices."""
        return self._kernels.of_layers

    def _backward_begins(self) -> None:
        self.simulation.tracer.enter("backward", self.plan.done)
        self.phases.enter("backward")

    def _map_memories(self) -> None:
        """Give the PEs' SRAM what others write to or read from it: samples, targets, gradients."""
        pes = self.simulation.pes
        for replica in range(self.options.replicas):
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
        return self._kernels.strays
