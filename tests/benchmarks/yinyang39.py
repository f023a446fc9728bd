"""Yin-Yang, 5-120-3, batch 22, 5,000 samples, 39 epochs: how well it learns, seed by seed.

    python tests/benchmarks/yinyang39.py offchip [--seeds 5] [--csv curves.csv]
    python tests/benchmarks/yinyang39.py chip SEED --out RUN
    python tests/benchmarks/yinyang39.py compare RUN [RUN ...]

``offchip`` prints, for seeds 1 to n, the mean test accuracy of the last five epochs, their median,
and how many seeds reach 93.5 % (the authors' code: 93.9 % on one seed). ``chip`` trains one seed on
the simulated chip, every packet simulated (minutes of CPU): it is ``chipsim run yinyang`` with 39
epochs. ``compare`` holds the learning curves of such runs, finished or not, against the off-chip
ones, which they equal exactly: test accuracy, train accuracy and loss of every epoch.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from pathlib import Path

from chipsim.cli.main import main as chipsim
from chipsim.experiment import resolve
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.experiment import YinYangModel
from eventprop_apps.offchip.trainer import EpochRecord, Trainer, TrainSettings
from eventprop_apps.training import drawn_weights, model_of

EPOCHS, SAMPLES, LAST, WANTED = 39, 5_000, 5, 0.935
SETTINGS = {"train.epochs": EPOCHS, "data.train_samples": SAMPLES}


def off_chip(seed: int, epochs: int = EPOCHS) -> list[EpochRecord]:
    """Return the epochs of a training off the chip with the experiment's own settings."""
    values = resolve("yinyang", SETTINGS, seed).values
    assert isinstance(values, YinYangModel)
    encoding = {"steps": values.model.steps, "t_min": values.data.first_step}
    settings = TrainSettings(
        epochs=epochs,
        batch=values.train.batch,
        optimiser=values.optimizer.settings(values.train.epochs),
        clip_norm=values.optimizer.clip_norm,
    )
    trainer = Trainer(
        drawn_weights(values, seed),
        yinyang(values.data.train_samples, values.data.train_seed, **encoding),
        yinyang(values.data.test_samples, values.data.test_seed, **encoding),
        settings,
        seed=seed,
        model=model_of(values),
    )
    return trainer.run()


def last_mean(curve: list[float]) -> float:
    """Return the mean of the last five epochs."""
    return statistics.mean(curve[-LAST:])


def report(seeds: int, path: Path | None) -> None:
    """Train off the chip with seeds 1 to n and print what each reaches."""
    reached = {}
    rows = []
    for seed in range(1, seeds + 1):
        curve = [float(epoch.test_accuracy or 0.0) for epoch in off_chip(seed)]
        reached[seed] = last_mean(curve)
        rows += [(seed, epoch, accuracy) for epoch, accuracy in enumerate(curve, 1)]
        print(f"seed {seed:3}  {100 * reached[seed]:.2f} %", flush=True)
    five = list(reached.values())[:5]
    enough = sum(value >= WANTED for value in reached.values())
    low = sum(value < 0.9 for value in reached.values())
    print(f"median of seeds 1 to {len(five)}: {100 * statistics.median(five):.2f} %")
    print(f"median of {seeds}: {100 * statistics.median(reached.values()):.2f} %")
    print(f"at least {100 * WANTED} %: {enough} of {seeds}; below 90 %: {low}")
    if path is not None:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("seed", "epoch", "test_accuracy"), *rows])


def on_chip(seed: int, out: Path) -> int:
    """Train one seed on the simulated chip."""
    sets = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    return chipsim(["run", "yinyang", "--seed", str(seed), "--out", str(out), "--no-report", *sets])


def compare(out: Path) -> bool:
    """Print whether a run's learning curve, as far as it has got, is the off-chip one."""
    seed = resolve(str(out / "experiment.toml")).seed
    with (out / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    own = [tuple(float(row[name]) for name in NAMES) for row in rows]
    right = [tuple(getattr(epoch, name) for name in NAMES) for epoch in off_chip(seed, len(own))]
    same = own == right
    print(
        f"seed {seed}: {len(own)} epochs, {'equal' if same else 'NOT EQUAL'} to the off-chip ones "
        f"({', '.join(NAMES)}); mean of the last {LAST}: "
        f"{100 * last_mean([row[0] for row in own]):.2f} %",
        flush=True,
    )
    return same


NAMES = ("test_accuracy", "train_accuracy", "loss")


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    offchip = commands.add_parser("offchip")
    offchip.add_argument("--seeds", type=int, default=5)
    offchip.add_argument("--csv", type=Path)
    chip = commands.add_parser("chip")
    chip.add_argument("seed", type=int)
    chip.add_argument("--out", type=Path, required=True)
    compared = commands.add_parser("compare")
    compared.add_argument("runs", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "offchip":
        report(arguments.seeds, arguments.csv)
        return 0
    if arguments.command == "chip":
        return on_chip(arguments.seed, arguments.out)
    same = [compare(run) for run in arguments.runs]
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
