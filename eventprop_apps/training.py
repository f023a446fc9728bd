"""``chipsim run``: training on the simulated chip, with progress and a summary."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, cast

import numpy as np

from chipsim.experiment.kinds import Experiment, Progress
from chipsim.experiment.tracing import make_recorder
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.application import KINDS, Application
from chipsim.sim.account import account
from chipsim.sim.board_loads import board_loads
from chipsim.sim.checkpoint import dumps, is_quiet
from chipsim.sim.checkpoint import load as load_checkpoint
from chipsim.sim.trace import PHASES
from chipsim.trace.provenance import write as write_provenance
from chipsim.trace.recorder import Recorder
from chipsim.trace.rundir import RunDirectory
from chipsim.trace.summary import build_summary
from eventprop_apps import costs as eventprop_costs
from eventprop_apps.checkpoint import restore as restore_chip
from eventprop_apps.checkpoint import state_of
from eventprop_apps.chip import ChipRun
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.described import (
    chip_options_of,
    initial_weights_of,
    model_of,
    optimiser_of,
)
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.interrupt import stop_on_interrupt
from eventprop_apps.programs.plan import Job
from eventprop_apps.tally import Epoch, Tally
from eventprop_apps.training_jobs import TrainingJobs
from eventprop_apps.training_report import TrainingReport

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
        self.model = model_of(values)
        self.jobs = TrainingJobs(
            self.model, train, test, values.train.epochs, values.train.batch, seed
        )
        self.per_epoch = len(self.jobs.order(0))
        self.report = TrainingReport(self)
        self.chip = ChipRun(
            self.model,
            load_machine(values.machine.name, values.machine.settings()),
            initial_weights_of(values, self.model, seed),
            self._jobs(),
            chip_options_of(values, seed),
            costs=eventprop_costs.load(values.costs.cycles() if values.costs else None),
            input_capacity=max(1, train.events.longest(), test.events.longest()),
            optimiser=optimiser_of(values, self.model, self.per_epoch),
            clip_norm=values.optimizer.clip_norm,
            on_done=self._on_done,
            recorder=recorder,
            probes=(self.report,) if self.report.live else (),
        )

    def _jobs(self) -> Iterator[Job]:
        return iter(self.jobs)

    @property
    def between_epochs(self) -> bool:
        """Whether the next batch begins an epoch."""
        return not self.epochs or self.epochs[-1].test.seen == len(self.test_set)

    def _annotate_epoch(self) -> None:
        """Tell the trace which epoch it is, as long as there is one."""
        number = len(self.epochs) + self.between_epochs
        if number <= self.values.train.epochs:
            self.chip.simulation.tracer.observer.annotate("epoch", "", number)

    def _on_done(self, _: int, job: Job) -> None:
        """Count a finished batch; report the epoch when its last test batch is through."""
        if self.between_epochs:
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
        done = self.between_epochs
        if done:
            self._annotate_epoch()
        values = self.report.batch_done(epoch, done)
        if done and self.out is not None:
            self.out.append_metrics({k: v for k, v in values.items() if k != "epochs"})
        self._save(done)

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
            **self.report.by_head(last),
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
