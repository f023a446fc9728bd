"""Training under congestion: accuracy against lateness, with ticks that are too short.

    python -m eventprop_apps.experiments.congestion [--plot FILE] [--epochs 3]

Yin-Yang, 5-30-3, eight replicas. Layers lie anywhere on the chip (placer ``random``), FIFOs of
routers have one slot, and further PEs send each other background traffic, a Poisson number of
packets a tick. The tick is shortened from what the work needs to half of it: handlers overrun,
packets are consumed late, and errors may find their step gone. Nothing stops; what is late is
counted by kind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.mapping import Mapping
from chipsim.seeds import derive
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Effect, Program
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.evaluation import sample_of
from eventprop_apps.model import Model, layer_factors
from eventprop_apps.optimisers import AdamSettings
from eventprop_apps.programs.plan import BATCH_BARRIER, BEGIN_BARRIER, Job, Plan

SIZES, STEPS, REPLICAS = (5, 30, 3), 27, 8
SEED = 1
TICKS_US = (20, 17, 14, 12, 10, 8)
BACKGROUND, RATE = 24, 20.0


class Background(Program):
    """Sends a Poisson number of packets a tick, and takes what it gets.

    Parameters
    ----------
    number : int
        Names its net and its random stream.
    rate : float
        Mean packets a tick.
    plan : Plan
        How long a batch is.
    steps : int
    """

    def __init__(self, number: int, rate: float, plan: Plan, steps: int) -> None:
        self.net, self.rate, self.plan, self.steps = f"background{number}", rate, plan, steps
        self._rng = np.random.default_rng(derive(SEED, "background", number))

    def run(self, pe: ProcessingElement) -> Generator[Effect, Any, None]:
        """Accompany each job's ticks."""
        number = self.plan.start
        if not number:
            yield pe.barrier(BEGIN_BARRIER)
        while (job := self.plan.job(number)) is not None:
            for _ in range(2 * self.steps if job.backward else self.steps + 1):
                yield pe.next_tick()
                pe.take_packets()
                pe.send(self.net, [0] * int(self._rng.poisson(self.rate)))
            yield pe.barrier(BATCH_BARRIER)
            number += 1


class CongestedRun(ChipRun):
    """A run with background traffic beside it.

    Parameters
    ----------
    senders : int
        PEs that send to one another, in a ring.
    rate : float
        Mean packets of each in a tick.
    """

    def __init__(self, senders: int, rate: float, *args: Any, **more: Any) -> None:
        self._senders, self._rate = senders, rate
        super().__init__(*args, **more)

    def _map(self, application: Application, machine: Machine) -> Mapping:
        names = [f"background{n}" for n in range(self._senders)]
        own = tuple(Vertex(name, {"code": 1024}) for name in names)
        following = [*names[1:], *names[:1]]
        nets = tuple(
            Net(name, name, (sink,), kind="host")
            for name, sink in zip(names, following, strict=True)
        )
        more = replace(
            application, vertices=application.vertices + own, nets=application.nets + nets
        )
        return super()._map(more, machine)

    def _make_programs(self) -> dict[str, Program]:
        return super()._make_programs() | {
            f"background{n}": Background(n, self._rate, self.plan, self.model.steps)
            for n in range(self._senders)
        }


def trained(
    tick_us: int,
    epochs: int = 3,
    samples: int = 176,
    tests: int = 80,
    senders: int = BACKGROUND,
    rate: float = RATE,
) -> dict[str, Any]:
    """Train with a tick and return what came of it.

    Parameters
    ----------
    tick_us : int
    epochs, samples, tests : int
    senders : int
        PEs with background traffic.
    rate : float
        Mean packets of each in a tick.

    Returns
    -------
    dict
        ``tick_us``, ``test_accuracy``, ``overruns``, ``late`` (by kind), ``late_share`` (of spikes
        and errors), ``unmatched`` (errors without effect), ``background`` (packets).
    """
    model = Model.make(SIZES, STEPS, layer_factors(len(SIZES) - 1))
    train, test = yinyang(samples, 42, steps=STEPS), yinyang(tests, 40, steps=STEPS)
    right = [0]

    def jobs() -> Iterator[Job]:
        for epoch in range(epochs):
            for chosen in batches(SEED, epoch, len(train), REPLICAS):
                yield _job(train, chosen, training=True)
        for start in range(0, len(test), REPLICAS):
            yield _job(test, np.arange(start, min(start + REPLICAS, len(test))), training=False)

    def done(_: int, job: Job) -> None:
        if not job.update:
            choice = run.loss.choice[: len(job), 0]
            right[0] += int((choice == test.label[job.samples]).sum())

    run = CongestedRun(
        senders,
        rate,
        model,
        load_machine("spinnaker2", {"noc.fifo_packets": 1}),
        initial_weights(SEED, SIZES, [(3.2, 3.2), (5.2, 2.8)]),
        jobs(),
        ChipOptions(REPLICAS, placer="random", seed=SEED, tick_us=tick_us),
        input_capacity=max(train.events.longest(), test.events.longest()),
        optimiser=AdamSettings(lr=0.01).make(model.weights, samples // REPLICAS, model.dtype),
        on_done=done,
    )
    run.run()
    simulation = run.simulation
    late = simulation.tracer.late
    simulation.tracer.finish()
    sent = simulation.tracer.recorder.packets_sent()
    strays = run.strays
    return {
        "tick_us": tick_us,
        "test_accuracy": right[0] / len(test),
        "overruns": simulation.tick_log.overruns,
        "late": {kind: late[kind] for kind in ("spike", "error")},
        "late_share": (late["spike"] + late["error"]) / (sent["spike"] + sent["error"]),
        "unmatched": strays.unmatched_errors + strays.passed_errors,
        "background": sent["host"],
    }


def _job(data: Dataset, chosen: Any, training: bool) -> Job:
    return Job(
        events=[sample_of(data.events, int(b)) for b in chosen],
        targets=[np.array([data.label[b]], dtype=np.uint32) for b in chosen],
        samples=chosen.astype(np.int32),
        backward=training,
        update=training,
        batch=len(chosen),
    )


def draw(rows: list[dict[str, Any]], path: str) -> None:
    """Draw accuracy against the share of late packets, a point a tick."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(layout="constrained")
    ax.plot(
        [100 * row["late_share"] for row in rows],
        [100 * row["test_accuracy"] for row in rows],
        marker="o",
    )
    for row in rows:
        at = (100 * row["late_share"], 100 * row["test_accuracy"])
        ax.annotate(f"{row['tick_us']} us", at, xytext=(5, 4), textcoords="offset points")
    ax.set(xlabel="late packets [% of spikes and errors]", ylabel="test accuracy [%]")
    figure.savefig(path)


def main() -> int:
    """Train with each tick, print a table, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--ticks", type=int, nargs="+", default=list(TICKS_US), metavar="US")
    arguments = parser.parse_args()
    rows = []
    print("| tick [us] | test accuracy | overruns | late spikes | late errors | late | no effect |")
    print("|---|---|---|---|---|---|---|")
    for tick_us in arguments.ticks:
        row = trained(tick_us, arguments.epochs)
        rows.append(row)
        print(
            f"| {tick_us} | {100 * row['test_accuracy']:.1f} % | {row['overruns']:,} | "
            f"{row['late']['spike']:,} | {row['late']['error']:,} | "
            f"{100 * row['late_share']:.1f} % | {row['unmatched']:,} |",
            flush=True,
        )
    if arguments.plot:
        draw(rows, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
