"""CPU time per training sample: every packet simulated, and off-chip.

    python tests/benchmarks/training_speed.py [--samples 1100] [--repeat 3] [--profile]

Prints medians of CPU seconds per sample, the ratio to the authors' off-chip PyTorch code
(0.68 ms a sample, arXiv 2412.15021's public code on one thread), and what share of the time goes
where. Compilation is done before the clock starts.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time

from chipsim.experiment import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.experiment import YinYangModel
from eventprop_apps.offchip.trainer import Trainer, TrainSettings
from eventprop_apps.training import TrainingRun

AUTHORS_MS = 0.68


def on_chip(samples: int) -> tuple[float, int, int]:
    """Return (CPU s, trained samples, packet-hops) of one epoch on the simulated chip."""
    settings = {"data.train_samples": samples, "data.test_samples": 22, "train.epochs": 1}
    experiment = resolve("yinyang", settings, 1)
    values = experiment.values
    assert isinstance(values, YinYangModel)
    steps = {"steps": values.model.steps, "t_min": values.data.first_step}
    train = yinyang(samples, values.data.train_seed, **steps)
    test = yinyang(22, values.data.test_seed, **steps)
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = TrainingRun(values, 1, train, test, recorder, None, lambda _: None)
    begun = time.process_time()
    run.run()
    cpu = time.process_time() - begun
    return cpu, run.epochs[0].train.seen, run.chip.simulation.network.counters().packet_hops


def off_chip(samples: int) -> tuple[float, int]:
    """Return (CPU s, trained samples) of one epoch off the chip."""
    train = yinyang(samples, 42)
    trainer = Trainer(initial_weights(1, (5, 120, 3)), train, None, TrainSettings(epochs=1), seed=1)
    begun = time.process_time()
    trainer.run()
    return time.process_time() - begun, samples - samples % 22


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    on_chip(44)
    off_chip(44)
    chip = [on_chip(arguments.samples) for _ in range(arguments.repeat)]
    off = [off_chip(arguments.samples) for _ in range(arguments.repeat)]
    chip_ms = statistics.median(1e3 * cpu / seen for cpu, seen, _ in chip)
    off_ms = statistics.median(1e3 * cpu / seen for cpu, seen in off)
    for where, cost in (("on the simulated chip", chip_ms), ("off the chip", off_ms)):
        ratio = cost / AUTHORS_MS
        print(f"{where:22} {cost:.4f} ms CPU a sample, {ratio:.3f} times the authors' 0.68 ms")
    print(f"packet-hops a sample   {chip[0][2] / chip[0][1]:.0f}")
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(on_chip, arguments.samples)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
