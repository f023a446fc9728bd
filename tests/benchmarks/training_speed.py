"""CPU time per training sample: every packet simulated, and off-chip.

    python tests/benchmarks/training_speed.py [--samples 550] [--repeat 3] [--functions 25]

Prints CPU milliseconds a sample on the chip and off it, with and without the exchange (gather,
update, broadcast), and the ratio to the authors' off-chip PyTorch code (0.68 ms a sample, arXiv
2412.15021's public code on one thread); then shares of the chip's time by part. Each figure is a
slope: the least time of several runs with many samples minus that of runs with a fifth of them, so
that building a run does not count. Compilation is done before the clock starts. A loop of plain
Python is timed beside: on a machine that others use, compare ratios to it.

The shares are a profiler's, which makes Python look slower than it is. A compiled call counts where
it is made from Python, so that whole steps hold their packets' way from and to the network.
``--functions`` adds the functions that take most.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from dataclasses import dataclass

from chipsim.experiment import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.experiment import YinYangModel
from eventprop_apps.offchip.trainer import Trainer, TrainSettings
from eventprop_apps.programs.plan import BACKWARD_BARRIER, BATCH_BARRIER
from eventprop_apps.training import TrainingRun

AUTHORS_MS = 0.68
BATCH = 22

PARTS = {
    "network, compiled": ("chipsim/network/",),
    "whole steps, compiled": ("eventprop_apps/programs/whole.py", "chipsim/sim/whole.py"),
    "memory traffic, compiled": ("chipsim/sim/flits.py",),
    "chip: steps, PEs, transfers": ("chipsim/sim/",),
    "counting and recording": ("chipsim/sim/trace.py", "chipsim/sim/consume.py", "chipsim/trace/"),
    "programs and exchange": ("eventprop_apps/",),
    "EventProp kernels": ("eventprop_apps/kernels/",),
    "SimPy": ("simpy/",),
}
"""By path; of several that fit, the longest counts."""


@dataclass
class Cost:
    """What a run took: CPU [s] in all and in its exchanges, trained samples, packet-hops."""

    cpu: float
    exchange: float
    samples: int
    hops: int = 0


class Stopwatch:
    """CPU time between the releases of two barriers."""

    def __init__(self, run: TrainingRun) -> None:
        self.total = 0.0
        self._begun: float | None = None
        simulation = run.chip.simulation
        simulation.barrier(BACKWARD_BARRIER).on_release.append(lambda _: self._start())
        simulation.barrier(BATCH_BARRIER).on_release.append(lambda _: self._stop())

    def _start(self) -> None:
        self._begun = time.process_time()

    def _stop(self) -> None:
        if self._begun is not None:
            self.total += time.process_time() - self._begun
            self._begun = None


def make_run(samples: int) -> TrainingRun:
    """Return one epoch on the simulated chip, not yet started."""
    settings = {"data.train_samples": samples, "data.test_samples": BATCH, "train.epochs": 1}
    experiment = resolve("yinyang", settings, 1)
    values = experiment.values
    assert isinstance(values, YinYangModel)
    steps = {"steps": values.model.steps, "t_min": values.data.first_step}
    train = yinyang(samples, values.data.train_seed, **steps)
    test = yinyang(BATCH, values.data.test_seed, **steps)
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    return TrainingRun(values, 1, train, test, recorder, None, lambda _: None)


def on_chip(samples: int) -> Cost:
    """Return the cost of one epoch on the simulated chip."""
    run = make_run(samples)
    watch = Stopwatch(run)
    begun = time.process_time()
    run.run()
    cpu = time.process_time() - begun
    hops = run.chip.simulation.network.counters().packet_hops
    return Cost(cpu, watch.total, run.epochs[0].train.seen, hops)


def off_chip(samples: int) -> Cost:
    """Return the cost of one epoch off the chip."""
    train = yinyang(samples, 42)
    trainer = Trainer(initial_weights(1, (5, 120, 3)), train, None, TrainSettings(epochs=1), seed=1)
    begun = time.process_time()
    trainer.run()
    return Cost(time.process_time() - begun, 0.0, samples - samples % BATCH)


def plain_python() -> float:
    """Return the CPU time of a fixed loop [s], to tell how fast the machine is just now."""
    begun = time.process_time()
    total = 0
    for i in range(2_000_000):
        total += i & 7
    return time.process_time() - begun


def slope(few: list[Cost], many: list[Cost]) -> tuple[float, float]:
    """Return (CPU ms a sample, of these in the exchange), by the least times."""
    samples = many[0].samples - few[0].samples
    whole = min(cost.cpu for cost in many) - min(cost.cpu for cost in few)
    exchange = min(cost.exchange for cost in many) - min(cost.exchange for cost in few)
    return 1e3 * whole / samples, 1e3 * exchange / samples


def profile_parts(samples: int, functions: int) -> None:
    """Print shares of a run's time by part, and its most expensive functions."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(make_run(samples).run)
    found = pstats.Stats(profile)
    shares = dict.fromkeys([*PARTS, "the rest"], 0.0)
    for (file, _, _), (_, _, own, _, _) in found.stats.items():  # type: ignore[attr-defined]
        fits = [
            (len(path), name) for name, paths in PARTS.items() for path in paths if path in file
        ]
        shares[max(fits)[1] if fits else "the rest"] += own
    total = sum(shares.values())
    for name, own in shares.items():
        print(f"{name:28} {100 * own / total:5.1f} %")
    if functions:
        found.sort_stats("tottime").print_stats(functions)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=550)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--functions", type=int, default=0)
    arguments = parser.parse_args()
    many = arguments.samples
    few = max(BATCH, many // 5)
    on_chip(2 * BATCH)
    off_chip(2 * BATCH)
    python, chip, off = [], [], []
    for _ in range(arguments.repeat):
        python.append(plain_python())
        chip.append((on_chip(few), on_chip(many)))
        off.append((off_chip(10 * few), off_chip(10 * many)))
    chip_ms, exchange_ms = slope([a for a, _ in chip], [b for _, b in chip])
    off_ms, _ = slope([a for a, _ in off], [b for _, b in off])
    for where, cost in (
        ("on the simulated chip", chip_ms),
        ("  without the exchange", chip_ms - exchange_ms),
        ("off the chip", off_ms),
    ):
        ratio = cost / AUTHORS_MS
        print(f"{where:24} {cost:.4f} ms CPU a sample, {ratio:.3f} times the authors' 0.68 ms")
    print(f"packet-hops a sample     {chip[0][1].hops / chip[0][1].samples:.0f}")
    print(f"plain Python loop        {1e3 * min(python):.1f} ms CPU")
    profile_parts(many, arguments.functions)


if __name__ == "__main__":
    main()
