"""``chipsim run``: training on the simulated chip, with progress and a summary."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from types import FrameType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chipsim.experiment.kinds import Experiment, Progress
from chipsim.experiment.tracing import make_recorder
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.application import KINDS, Application
from chipsim.sim.account import account
from chipsim.sim.board_loads import board_loads
from chipsim.sim.checkpoint import dumps, is_quiet
from chipsim.sim.checkpoint import load as load_checkpoint
from chipsim.sim.simulation import Simulation
from chipsim.sim.trace import PHASES
from chipsim.trace.provenance import write as write_provenance
from chipsim.trace.recorder import Recorder
from chipsim.trace.rundir import RunDirectory
from chipsim.trace.summary import build_summary
from eventprop_apps.checkpoint import restore as restore_chip
from eventprop_apps.checkpoint import state_of
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.data.init import initial_weights
from eventprop_apps.evaluation import sample_of
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.losses.api import target_words
from eventprop_apps.model import Model
from eventprop_apps.offchip.weights import load_weights
from eventprop_apps.optimisers.api import Optimiser
from eventprop_apps.programs.plan import Job

PACKAGES = ("chipsim", "numpy", "numba", "simpy", "networkx", "pyarrow", "pydantic")
FLOAT64 = {
    "name": "model.dtype",
    "value": "float64",
    "kind": "U",
    "source": "not the hardware's: the M4F computes in float32; errors take 64-bit payloads",
}


def run_training(
    experiment: Experiment, out: RunDirectory | None, progress: Progress
) -> dict[str, Any]:
    """Train on the simulated chip and return the summary.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, once the run directory has been closed in order.
    """
    values = cast(TrainingModel, experiment.values)
    path, resumes = (None, False) if out is None else (out.path, out.resumes)
    recorder = make_recorder(values.trace, path, KINDS, PHASES, resumes)
    run, steps = tuned_run(experiment, recorder, out, progress)
    if out is not None and resumes:
        run.restore(load_checkpoint(out.checkpoint))
    summary = run.run()
    return build_summary({"experiment": experiment.name, **summary, "tick_search": steps})


def tuned_run(
    experiment: Experiment, recorder: Recorder, out: RunDirectory | None, progress: Progress
) -> tuple[TrainingRun, list[dict[str, Any]] | None]:
    """Return the run of an experiment, and the steps of the search for its tick, if it asks so.

    The search depends on the experiment only: a resumed run finds the tick that it had.
    """
    values = cast(TrainingModel, experiment.values)
    if values.tick.us != "auto":
        return training_run(experiment, recorder, out, progress), None
    from eventprop_apps.shortest_tick import shortest_tick, with_tick  # it builds on this module

    train, test = values.samples()
    us, steps = shortest_tick(values, experiment.seed, train, test, progress)
    values = with_tick(values, us)
    return TrainingRun(values, experiment.seed, train, test, recorder, out, progress), steps


def training_run(
    experiment: Experiment, recorder: Recorder, out: RunDirectory | None, progress: Progress
) -> TrainingRun:
    """Return the run of an experiment, mapped and ready; ``auto`` is the chip's usual tick here."""
    values = cast(TrainingModel, experiment.values)
    train, test = values.samples()
    return TrainingRun(values, experiment.seed, train, test, recorder, out, progress)


def application_of(experiment: Experiment) -> tuple[Application, Machine]:
    """Return what the experiment maps, with expected traffic, and onto which machine."""
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = training_run(experiment, recorder, None, lambda values: None)
    return run.chip.mapping.application, run.chip.mapping.machine


def model_of(values: TrainingModel) -> Model:
    """Return the model that an experiment's sections describe."""
    section = values.model
    return Model.make(
        section.layers,
        section.steps,
        section.layer_factors(),
        values.model_loss(),
        section.dtype,
        recurrent=section.recurrences(),
        regularisers=values.loss.regulariser(),
        slices=section.slices(),
    )


def initial_weights_of(values: TrainingModel, model: Model, seed: int) -> list[NDArray[Any]]:
    """Return the weights of the file that ``init.weights`` names, or drawn ones."""
    if values.init.weights is not None:
        return load_weights(values.init.weights, model.sizes, model.recurrent)
    return drawn_weights(values, seed)


def drawn_weights(values: TrainingModel, seed: int) -> list[NDArray[Any]]:
    """Return the initial weights that a seed draws."""
    mean, deviation = values.init.recurrent_scales or (0.0, 1.0)
    return list(
        initial_weights(
            seed,
            values.model.layers,
            [(m, s) for m, s in values.init.scales],
            recurrent=values.model.recurrences(),
            recurrent_scales=(mean, deviation),
        )
    )


def optimiser_of(values: TrainingModel, model: Model, batches_per_epoch: int) -> Optimiser:
    """Return the optimiser that an experiment's sections describe."""
    settings = values.optimizer.settings(values.train.epochs)
    return settings.make(model.weights, batches_per_epoch, model.dtype)


@dataclass
class Tally:
    """What one epoch's batches gave.

    Attributes
    ----------
    loss : float
        Sum of the batches' losses, each before its update.
    right : list of int
        Samples that each head of outputs classified right.
    seen : int
        All samples.
    """

    loss: float = 0.0
    right: list[int] = field(default_factory=list)
    seen: int = 0

    @property
    def accuracy(self) -> float:
        """Share of samples classified right, the mean over the heads; 0 before the first."""
        return sum(self.right) / (self.seen * len(self.right)) if self.seen else 0.0

    @property
    def by_head(self) -> list[float]:
        """Share of samples that each head classified right."""
        return [right / self.seen for right in self.right]

    def count(self, right: NDArray[np.bool_]) -> None:
        """Count samples, given which heads were right: shape (samples, heads)."""
        before = self.right or [0] * right.shape[1]
        self.right = [a + int(b) for a, b in zip(before, right.sum(axis=0), strict=True)]
        self.seen += right.shape[0]


@dataclass
class Epoch:
    """Training and test of one epoch."""

    train: Tally = field(default_factory=Tally)
    test: Tally = field(default_factory=Tally)
    batches: int = 0


class _Live:
    """A probe that shows how far a run is, tick by tick; it only looks."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run

    def on_tick(self, tick: int, time_ps: int) -> None:
        """See the run's."""
        self._run.on_tick(time_ps)


class TrainingRun:
    """A training run on the simulated chip.

    Parameters
    ----------
    values : TrainingModel
        The experiment's sections.
    seed : int
    train, test : Dataset
    recorder : Recorder
    out : RunDirectory or None
    progress : callable
    """

    def __init__(
        self,
        values: TrainingModel,
        seed: int,
        train: Dataset,
        test: Dataset,
        recorder: Recorder,
        out: RunDirectory | None,
        progress: Progress,
    ) -> None:
        self.values, self.seed = values, seed
        self.train_set, self.test_set = train, test
        self.recorder, self.out, self.progress = recorder, out, progress
        self.epochs: list[Epoch] = []
        self.batches_trained = 0
        self.per_epoch = len(self._order(0))
        self.model = model_of(values)
        machine = load_machine(values.machine.name, values.machine.settings())
        self.chip = ChipRun(
            self.model,
            machine,
            initial_weights_of(values, self.model, seed),
            self._jobs(),
            ChipOptions(
                replicas=values.train.batch,
                transport=values.mapping.transport,
                network=values.network.model,
                placer=values.mapping.placer,
                router=values.mapping.router or "default",
                mapping_file=values.mapping.file or "",
                chips=values.mapping.chips,
                seed=seed,
                tick_us=None if values.tick.us == "auto" else values.tick.us,
                timers=values.tick.timers(),
                parts=tuple(values.model.parts),
                max_cycles=values.model.max_cycles,
                expected_spikes=values.model.expected_spikes,
                least_records=values.model.least_records,
                exchange=values.train.options(),
            ),
            input_capacity=max(1, train.events.longest(), test.events.longest()),
            optimiser=optimiser_of(values, self.model, self.per_epoch),
            clip_norm=values.optimizer.clip_norm,
            on_done=self._on_done,
            recorder=recorder,
            probes=(_Live(self),) if getattr(progress, "live", False) else (),
        )

    # ---------------------------------------------------------------------------------- jobs
    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        return batches(self.seed, epoch, len(self.train_set), self.values.train.batch)

    def _jobs(self) -> Iterator[Job]:
        for epoch in range(self.values.train.epochs):
            for samples in self._order(epoch):
                yield self._job(self.train_set, samples, training=True)
            width = self.values.train.batch
            for start in range(0, len(self.test_set), width):
                stop = min(start + width, len(self.test_set))
                yield self._job(self.test_set, np.arange(start, stop), training=False)

    def _job(self, data: Dataset, samples: NDArray[np.int64], training: bool) -> Job:
        wanted = data.wanted if self.model.loss.wants_values else None
        return Job(
            events=[sample_of(data.events, int(b)) for b in samples],
            targets=[
                target_words(data.label[b], None if wanted is None else wanted[b], self.model.dtype)
                for b in samples
            ],
            samples=samples.astype(np.int32),
            backward=training,
            update=training,
            batch=len(samples),
        )

    def _annotate_epoch(self) -> None:
        """Tell the trace which epoch it is, as long as there is one."""
        new = not self.epochs or self.epochs[-1].test.seen == len(self.test_set)
        number = len(self.epochs) + new
        if number <= self.values.train.epochs:
            self.chip.simulation.tracer.observer.annotate("epoch", "", number)

    def _on_done(self, _: int, job: Job) -> None:
        """Count a finished batch; report the epoch when its last test batch is through."""
        if not self.epochs or self.epochs[-1].test.seen == len(self.test_set):
            self.epochs.append(Epoch())
        epoch = self.epochs[-1]
        tally = epoch.train if job.update else epoch.test
        labels = (self.train_set if job.update else self.test_set).label[job.samples]
        chosen = self.chip.loss.choice[: len(job)]
        tally.count(chosen == labels.reshape(chosen.shape))
        tally.loss += self.chip.batch_loss(len(job))  # in the order of sums off the chip
        if job.update:
            self.batches_trained += 1
            epoch.batches += 1
        done = epoch.test.seen == len(self.test_set)
        if done:
            self._annotate_epoch()
        self._report(epoch, done)

    def _report(self, epoch: Epoch, done: bool) -> None:
        simulation = self.chip.simulation
        values = self._whole()
        if done:
            values |= {
                "test_accuracy": epoch.test.accuracy,
                "train_accuracy": epoch.train.accuracy,
                "loss": epoch.train.loss / max(1, epoch.batches),
                **self._by_head(epoch),
            }
        else:
            values |= {"batch": epoch.batches, "batches": self.per_epoch}
        values |= {
            "simulated_s": int(simulation.env.now) / 1e12,
            "packets": sum(self.recorder.packets_sent().values()),
        }
        self.progress({**values, **self._traffic()})
        if done and self.out is not None:
            self.out.append_metrics({k: v for k, v in values.items() if k != "epochs"})
        self._save(done)

    def _by_head(self, epoch: Epoch) -> dict[str, float]:
        """Return the accuracies of each head, by the names of the labels; none for one alone."""
        return {
            f"{what}_accuracy_{name}": share
            for what, tally in (("test", epoch.test), ("train", epoch.train))
            for name, share in zip(self.values.loss.heads or (), tally.by_head, strict=False)
        }

    def _whole(self) -> dict[str, Any]:
        return {"epoch": len(self.epochs), "epochs": self.values.train.epochs}

    def _traffic(self) -> dict[str, int]:
        """Return copies on their way and packets consumed late, if anybody looks."""
        if not getattr(self.progress, "live", False):
            return {}
        simulation = self.chip.simulation
        return {
            "in_flight": int(simulation.network.counters().in_flight),
            "late": sum(simulation.tracer.late.values()),
        }

    def on_tick(self, time_ps: int) -> None:
        """Tell a terminal, or a machine, how far the batch is; only when it is due."""
        if not cast(Any, self.progress).due():
            return
        new = not self.epochs or self.epochs[-1].test.seen == len(self.test_set)
        epoch = Epoch() if new else self.epochs[-1]
        self.progress(
            {
                "epoch": len(self.epochs) + new,
                "epochs": self.values.train.epochs,
                "batch": epoch.batches,
                "batches": self.per_epoch,
                "simulated_s": time_ps / 1e12,
                "packets": sum(self.recorder.packets_sent().values()),
                **self._traffic(),
            }
        )

    # --------------------------------------------------------------------------- checkpoints
    def _save(self, epoch_done: bool) -> None:
        """Write a checkpoint, if one is due and the run can go on from here.

        The reference network has no state that could be written, and where packets are still on
        their way the next batch will do.
        """
        out, every = self.out, self.values.train.checkpoint_batches
        due = epoch_done if every is None else self.chip.plan.done % every == 0
        if out is None or not due or self.values.network.model != "compiled":
            return
        if is_quiet(self.chip.simulation):
            out.write_checkpoint(dumps(self.state()))

    def state(self) -> dict[str, Any]:
        """Return what continues this run after the job just done."""
        assert self.out is not None
        return {
            "chip": state_of(self.chip),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "batches_trained": self.batches_trained,
            "metrics": self.out.metrics_text(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`, in a run not yet begun."""
        assert self.out is not None
        restore_chip(self.chip, state["chip"])
        self.batches_trained = int(state["batches_trained"])
        self.epochs = [
            Epoch(Tally(**epoch["train"]), Tally(**epoch["test"]), epoch["batches"])
            for epoch in state["epochs"]
        ]
        self.out.restore_metrics(state["metrics"])

    # ------------------------------------------------------------------------------- running
    def run(self) -> dict[str, Any]:
        """Train, write what the run directory holds, and return the summary's fields."""
        cpu, wall = time.process_time(), time.monotonic()
        try:
            with stop_on_interrupt(self.chip.simulation):
                self._annotate_epoch()
                self.chip.run()
        finally:
            self.chip.simulation.tracer.finish()
            self.recorder.close()
            if self.out is not None:
                self.out.write_weights({f"layer{i}": w for i, w in enumerate(self.chip.weights)})
                simulation = self.chip.simulation
                counted, missed = simulation.provenance(), simulation.missed_deadlines()
                write_provenance(self.out.path, counted, missed)
        if self.chip.simulation.stop_requested:
            raise KeyboardInterrupt
        return self.summary() | {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.monotonic() - wall,
            "versions": versions(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the fields of the summary that do not depend on the host."""
        strays = self.chip.strays
        last = self.epochs[-1]
        accounted = account(self.chip.simulation)
        if self.model.dtype == np.dtype(np.float64):
            accounted["assumptions"].append(FLOAT64)
        accounted["assumptions"] += self.chip.assumptions()
        return {
            **accounted,
            **board_loads(self.chip.simulation),
            "seed": self.seed,
            "test_accuracy": last.test.accuracy,
            "train_accuracy": last.train.accuracy,
            "epochs": len(self.epochs),
            "batches": self.batches_trained,
            "train_samples": len(self.train_set),
            "unmatched_errors": strays.unmatched_errors + strays.passed_errors,
            "stale_phase": strays.stale_phase,
            **self._slices(),
            "exchange": self.chip.exchange_meter.summary(),
            "cost_by_phase": self.chip.phases.summary(),
            "tick_us": self.chip.simulation.settings.tick_us,
            "chip_s_per_epoch": self.chip.phases.seconds(len(self.epochs)),
            "test_accuracy_by_epoch": [epoch.test.accuracy for epoch in self.epochs],
            **self._by_head(last),
        }

    def _slices(self) -> dict[str, Any]:
        """Return what layers split by inputs add to the summary."""
        model = self.chip.model
        if not any(model.slices):
            return {}
        late = self.chip.simulation.tracer.late["current"]
        return {"late_currents": late, "slices": list(model.slices)}


def versions() -> Mapping[str, str]:
    """Return the versions of Python and of the packages that results rest on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


@contextmanager
def stop_on_interrupt(simulation: Simulation) -> Iterator[None]:
    """Let the first Ctrl-C ask the simulation to stop, and the second end the process at once.

    An exception inside a SimPy process could be taken for the result of what the process waits
    for, so the handler only sets a flag that the simulation looks at between events.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if simulation.stop_requested:
            os._exit(130)
        simulation.stop_requested = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
