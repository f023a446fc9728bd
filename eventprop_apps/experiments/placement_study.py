"""A study: the paper's one-sample-per-QPE placement of EventProp against other placements.

    python -m eventprop_apps.experiments.placement_study [--batches 1] [--placers a,b] [--csv FILE]

Yin-Yang (5-120-3) on spinnaker2 with 1, 8, 22 and 37 replicas, and one whose hidden layer lies on
two PEs a replica. Each placement carries the same training: ``--batches`` batches and one test
sample, simulated packet by packet. Traffic by phase is expected, from the nets' weights: weighted
tree hops. The shortest tick is the tick's length times the largest use of a tick, which is the
longest handler. Energy is that of moving flits, in NoC and packet router: all else is the same for
every placement.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chipsim.errors import ChipsimError
from chipsim.experiment.resolve import resolve
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from eventprop_apps.training import training_run

PLACERS = ("paper", "sequential", "random", "hilbert")
CASES: dict[str, dict[str, Any]] = {
    "1 replica": {"train.batch": 1},
    "8 replicas": {"train.batch": 8},
    "22 replicas": {"train.batch": 22},
    "37 replicas": {"train.batch": 37},
    "18 split replicas": {"train.batch": 18, "model.parts": [2, 1]},
}


@dataclass(frozen=True)
class Row:
    """One placement of one case.

    Attributes
    ----------
    case, placer : str
    forward, backward, exchange : float
        Expected weighted tree hops of each phase (flits on links), per tick; exchange in all.
    packet_hops : int
        Routers visited in the run, per batch.
    p99_ns, max_ns : float
        Latency of all delivered copies [ns].
    shortest_tick_us : float
        Longest handler [us].
    exchange_us : float
        Time of a batch's exchange [us].
    move_uj : float
        Energy of NoC and packet router, per batch [uJ].
    late : int
        Late spikes and errors.
    """

    case: str
    placer: str
    forward: float
    backward: float
    exchange: float
    packet_hops: int
    p99_ns: float
    max_ns: float
    shortest_tick_us: float
    exchange_us: float
    move_uj: float
    late: int


def measure(case: str, placer: str, batches: int, seed: int = 1) -> Row:
    """Map and run one case with one placement.

    Raises
    ------
    ChipsimError
        If the placer cannot place it.
    """
    sets = CASES[case]
    samples = int(sets["train.batch"]) * batches
    given = {
        **sets,
        "mapping.placer": placer,
        "data.train_samples": samples,
        "data.test_samples": 1,
        "train.epochs": 1,
    }
    experiment = resolve("yinyang", given, seed)
    recorder = Recorder(kinds=KINDS, phases=PHASES)
    run = training_run(experiment, recorder, None, lambda values: None)
    run.chip.run()
    summary, metrics = run.summary(), run.chip.mapping.metrics()
    hops = {phase: float(flow.tree_hops) for phase, flow in metrics.by_phase.items()}
    tick_us = run.chip.simulation.clock.tick_ps / 1e6
    energy, latency = summary["energy_mj"], summary["latency_ns"]
    return Row(
        case,
        placer,
        hops.get("forward", 0.0),
        hops.get("backward", 0.0),
        hops.get("exchange", 0.0),
        round(summary["packet_hops"] / batches),
        latency["p99"],
        latency["max"],
        summary["tick_use_max"] * tick_us,
        summary["exchange"]["us"],
        (energy["noc"] + energy["router"]) * 1000 / batches,
        summary["late_spikes"] + summary["late_errors"],
    )


def table(rows: list[Row]) -> str:
    """Return rows as a table in Markdown, a case's first row by its name."""
    lines = [
        "| case | placer | forward | backward | exchange | hops a batch | p99 [ns] | max [ns] | "
        "shortest tick [us] | exchange [us] | energy [uJ] | late |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    before = ""
    for row in rows:
        name = row.case if row.case != before else ""
        before = row.case
        lines.append(
            f"| {name} | {row.placer} | {row.forward:.1f} | {row.backward:.1f} | "
            f"{row.exchange:.0f} | {row.packet_hops} | {row.p99_ns:.0f} | {row.max_ns:.0f} | "
            f"{row.shortest_tick_us:.1f} | {row.exchange_us:.1f} | {row.move_uj:.2f} | {row.late} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=1, help="batches of each run (1)")
    parser.add_argument("--placers", default=",".join(PLACERS))
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--csv", help="write the rows here as well")
    options = parser.parse_args()
    rows = []
    for case in options.cases.split(","):
        for placer in options.placers.split(","):
            try:
                rows.append(measure(case, placer, options.batches))
                print(f"measured: {rows[-1]}", file=sys.stderr, flush=True)
            except ChipsimError as error:
                print(f"{case}, {placer}: {error}", flush=True)
    print(table(rows))
    if options.csv:
        with Path(options.csv).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
