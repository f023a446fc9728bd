"""Training under congestion: accuracy against lateness, by cause.

    python -m eventprop_apps.experiments.congestion [--plot FILE] [--json FILE] [--seeds 1 2 3]

Yin-Yang, 5-30-3. Layers lie anywhere on the chip (placer ``random``), FIFOs of
routers have one slot, and further PEs send background traffic to one PE. Packets are made late in
two ways:

- ``ticks``: little background, and ticks shortened from what the work needs to half of it:
  handlers overrun;
- ``network``: a tick in which the work ends in time, a NoC at a tenth of its clock, so that the 24
  senders can fill its channels, and more and more background: packets are still on their way when
  their tick begins. Eight replicas here: with 22, senders wait so long for room that handlers
  overrun as well.

Nothing stops; what is late is counted by kind and by cause.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.machine.library import load_machine
from eventprop_apps.chip import ChipOptions
from eventprop_apps.data.batches import batches
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.data.init import initial_weights
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.evaluation import sample_of
from eventprop_apps.experiments.background import CAUSES, CongestedRun, counted
from eventprop_apps.model import Model, layer_factors
from eventprop_apps.optimisers import AdamSettings
from eventprop_apps.programs.plan import Job

SIZES, STEPS = (5, 30, 3), 27
LR = 0.02


@dataclass(frozen=True)
class Load:
    """What a run is put under.

    Attributes
    ----------
    tick_us : int
    rate : float
        Mean background packets of a sender in a tick.
    noc_mhz : int
        Clock of the NoC; 300 is the chip's.
    senders : int
        PEs with background traffic.
    replicas : int
        Samples of a batch.
    """

    tick_us: int
    rate: float = 2.0
    noc_mhz: int = 300
    senders: int = 24
    replicas: int = 22


SWEEPS = {
    "ticks": tuple(Load(us) for us in (20, 14, 12, 10)),
    "network": tuple(Load(24, rate, noc_mhz=30, replicas=8) for rate in (0, 20, 28, 36)),
}
"""Loads of each sweep, from the lightest to the heaviest."""


def trained(
    load: Load, seed: int = 1, epochs: int = 5, samples: int = 440, tests: int = 504
) -> dict[str, Any]:
    """Train under a load and return what came of it.

    Parameters
    ----------
    load : Load
    seed : int
        Of weights, order of samples, placement and background.
    epochs, samples, tests : int

    Returns
    -------
    dict
        ``test_accuracy`` and what `eventprop_apps.experiments.background.counted` returns.
    """
    model = Model.make(SIZES, STEPS, layer_factors(len(SIZES) - 1))
    train, test = yinyang(samples, 42, steps=STEPS), yinyang(tests, 40, steps=STEPS)
    right, width = [0], load.replicas

    def jobs() -> Iterator[Job]:
        for epoch in range(epochs):
            for chosen in batches(seed, epoch, len(train), width):
                yield _job(train, chosen, training=True)
        for start in range(0, len(test), width):
            yield _job(test, np.arange(start, min(start + width, len(test))), training=False)

    def done(_: int, job: Job) -> None:
        if not job.update:
            choice = run.loss.choice[: len(job), 0]
            right[0] += int((choice == test.label[job.samples]).sum())

    machine = {"noc.fifo_packets": 1, "noc.clock_mhz": load.noc_mhz}
    run = CongestedRun(
        load.senders if load.rate else 0,
        load.rate,
        model,
        load_machine("spinnaker2", machine),
        initial_weights(seed, SIZES, [(3.2, 3.2), (5.2, 2.8)]),
        jobs(),
        ChipOptions(width, placer="random", seed=seed, tick_us=load.tick_us),
        input_capacity=max(train.events.longest(), test.events.longest()),
        optimiser=AdamSettings(lr=LR).make(model.weights, samples // width, model.dtype),
        on_done=done,
    )
    run.run()
    return {"test_accuracy": right[0] / len(test), "tests": tests, **counted(run)}


def _job(data: Dataset, chosen: Any, training: bool) -> Job:
    return Job(
        events=[sample_of(data.events, int(b)) for b in chosen],
        targets=[np.array([data.label[b]], dtype=np.uint32) for b in chosen],
        samples=chosen.astype(np.int32),
        backward=training,
        update=training,
        batch=len(chosen),
    )


def interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval of a binomial share (95 % by default).

    References
    ----------
    Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    base = 1 + z * z / count
    middle = (share + z * z / (2 * count)) / base
    half = z / base * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


def study(
    seeds: Sequence[int], sweeps: Sequence[str] = tuple(SWEEPS), **size: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed, sweep and load: what `trained` returns, and the load's fields."""
    for seed in seeds:
        for sweep in sweeps:
            for load in SWEEPS[sweep]:
                row = {"sweep": sweep, "seed": seed, "tick_us": load.tick_us, "rate": load.rate}
                yield row | trained(load, seed, **size)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table, a line a load: sums of counts over seeds, mean accuracy."""
    yield (
        "| sweep | tick [us] | background | accuracy by seed | mean | late spikes | late errors | "
        "late | by sender | by network | by receiver | handlers behind | no effect |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    loads = dict.fromkeys((row["sweep"], row["tick_us"], row["rate"]) for row in rows)
    for sweep, tick_us, rate in loads:
        own = [r for r in rows if (r["sweep"], r["tick_us"], r["rate"]) == (sweep, tick_us, rate)]
        shares = [row["test_accuracy"] for row in own]
        mean = sum(shares) / len(shares)
        low, high = interval(mean, sum(row["tests"] for row in own))
        late = [sum(row["late"][kind] for row in own) for kind in ("spike", "error")]
        causes = [sum(row["causes"][cause] for row in own) for cause in CAUSES]
        each = ", ".join(f"{100 * share:.1f}" for share in shares)
        cells = [
            sweep, str(tick_us), f"{rate:g}", each,
            f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
            *(f"{n:,}" for n in late),
            f"{100 * sum(row['late_share'] for row in own) / len(own):.2f} %",
            *(f"{n:,}" for n in causes),
            f"{sum(row['behind'] for row in own):,}", f"{sum(row['unmatched'] for row in own):,}",
        ]  # fmt: skip
        yield "| " + " | ".join(cells) + " |"


def draw(rows: Sequence[dict[str, Any]], path: str) -> None:
    """Draw accuracy against the share of late packets, a point a run, with its interval."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(layout="constrained")
    for sweep, marker in zip(SWEEPS, ("o", "s"), strict=True):
        own = [row for row in rows if row["sweep"] == sweep]
        if not own:
            continue
        x = [100 * row["late_share"] for row in own]
        y = [100 * row["test_accuracy"] for row in own]
        ends = [interval(row["test_accuracy"], row["tests"]) for row in own]
        bars = np.array(
            [[v - 100 * low, 100 * high - v] for v, (low, high) in zip(y, ends, strict=True)]
        ).T
        ax.errorbar(x, y, bars, linestyle="none", marker=marker, capsize=2, label=f"by {sweep}")
    ax.set_xscale("symlog", linthresh=0.01)
    ax.set(xlabel="late packets [% of spikes and errors]", ylabel="test accuracy [%]")
    ax.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(given: Sequence[str] | None = None) -> int:
    """Train under each load with each seed, print a table, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("--json", metavar="FILE", help="write the rows here")
    parser.add_argument("--rows", metavar="FILE", nargs="+", help="take these rows, train nothing")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sweep", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=440)
    parser.add_argument("--tests", type=int, default=504)
    arguments = parser.parse_args(given)
    size = {name: getattr(arguments, name) for name in ("epochs", "samples", "tests")}
    if arguments.rows:
        rows = [row for name in arguments.rows for row in json.loads(Path(name).read_text())]
    else:
        rows = []
        for row in study(arguments.seeds, arguments.sweep, **size):
            rows.append(row)
            print(".", end="", file=sys.stderr, flush=True)
            if arguments.json:
                Path(arguments.json).write_text(json.dumps(rows, indent=1))
    print("\n".join(table(rows)))
    if arguments.plot:
        draw(rows, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
