"""What recording costs: CPU of runs that write packets, or every grant, over untraced ones.

    python tests/benchmarks/recording.py [--only yinyang|traffic] [--repeat 5] [--samples 440]
    python tests/benchmarks/recording.py --packets 50e6 --out DIR

Ratios of medians, and of minima, of CPU time, the runs of the levels taking turns. ``yinyang``
trains on the chip, from the first tick to closed files; ``traffic`` is uniform traffic on a mesh
whose packets are taken as programs take them. With ``--packets`` a trace of that many packets is
written into a run directory and summarised; CPU time, bytes and the peak of memory are printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from network_speed import FIFO_8, Case, Traffic

from chipsim.analysis.inspect import sections
from chipsim.analysis.run import open_run
from chipsim.experiment import resolve
from chipsim.mapping.application import KINDS
from chipsim.network.api import NetworkOptions
from chipsim.network.compiled import Network
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import LEVELS, Level, Recorder
from chipsim.trace.rundir import RunDirectory
from eventprop_apps.data.yinyang import yinyang
from eventprop_apps.experiment import YinYangModel
from eventprop_apps.training import TrainingRun

CASE = Case("mesh-8x8 uniform", "mesh-8x8", 0.05, 1, FIFO_8)


def recorder(level: Level, out: Path | None) -> Recorder:
    """Return a recorder for a level."""
    return Recorder(level, None if level == "summary" else out, kinds=KINDS, phases=PHASES)


def training(level: Level, out: Path, samples: int) -> float:
    """Return the CPU time of one epoch on the simulated chip [s]."""
    settings = {"data.train_samples": samples, "data.test_samples": 22, "train.epochs": 1}
    values = resolve("yinyang", settings, 1).values
    assert isinstance(values, YinYangModel)
    steps = {"steps": values.model.steps, "t_min": values.data.first_step}
    train = yinyang(samples, values.data.train_seed, **steps)
    test = yinyang(22, values.data.test_seed, **steps)
    run = TrainingRun(values, 1, train, test, recorder(level, out), None, lambda _: None)
    begun = time.process_time()
    run.run()
    return time.process_time() - begun


def traffic(level: Level, out: Path | None, packets: float) -> tuple[float, int, int]:
    """Return CPU time [s], copies and grants of uniform traffic whose packets are taken."""
    made = Traffic(CASE)
    target = recorder(level, out)
    options = NetworkOptions(hop_log=target.writes_hops, queue_peaks=target.writes_packets)
    network = Network(made.machine, options=options)
    network.add_routes(made.routes)
    inboxes = np.arange(2 * made.machine.endpoints, dtype=np.int32)
    taken = used = 0.0
    end = before = 0
    length = int(packets / (CASE.load * len(made.sources))) + 1
    counted = network.counters()
    for number, (end, sends) in enumerate(made.blocks(length)):
        begun = time.process_time()
        network.send(sends)
        network.advance(end)
        rows = network.take(inboxes, end)
        taken += len(rows)
        columns = {
            "kind": 0, "injected_ps": rows.injected_ps, "ended_ps": rows.time_ps, "hops": rows.hops,
            "waited_ps": rows.waited_ps, "late": False, "outcome": 0,
        }  # fmt: skip
        if target.writes_packets:
            columns |= {
                "packet_source": rows.source, "packet_seq": rows.seq, "key": rows.key,
                "net": rows.net, "source": rows.source, "destination": rows.endpoint, "phase": 1,
                "tick_sent": rows.tick,
            }  # fmt: skip
        target.packets(**columns)
        if target.writes_hops:
            log = network.take_hops()
            target.hops(
                packet_source=log.source, packet_seq=log.seq, kind=0, net=log.net,
                channel=log.channel, arrived_ps=log.arrived_ps, granted_ps=log.granted_ps,
                far_ps=log.far_ps,
            )  # fmt: skip
        if target.writes_packets and number % 64 == 63:
            now, peaks = network.counters(), network.take_queue_peaks()
            flits = now.channel_flits - counted.channel_flits
            grants = now.channel_packets - counted.channel_packets
            target.channels(
                window_start_ps=before, window_end_ps=np.full(len(flits), end),
                channel=np.arange(len(flits)), packets=grants,
                flits=flits, busy_ps=flits * made.machine.channel_flit_ps, queue_peak=peaks,
            )  # fmt: skip
            counted, before = now, end
        target.flush(end)
        used += time.process_time() - begun
    begun = time.process_time()
    target.close()
    used += time.process_time() - begun
    return used, int(taken), int(network.counters().channel_packets.sum())


def ratios(name: str, repeat: int, samples: int) -> None:
    """Print the CPU times of all levels, and their ratios to the untraced run's."""
    times: dict[Level, list[float]] = {level: [] for level in LEVELS}
    for turn in range(repeat + 1):
        for level in LEVELS:
            with tempfile.TemporaryDirectory() as directory:
                out = Path(directory)
                if name == "yinyang":
                    used = training(level, out, samples)
                else:
                    used = traffic(level, out, 300_000)[0]
            if turn:  # the first turn compiles
                times[level].append(used)
    base = statistics.median(times["summary"])
    for level, found in times.items():
        middle = statistics.median(found)
        least = min(found) / min(times["summary"])
        ratio = f"{middle / base:5.2f}   minima {least:5.2f}"
        print(f"{name:8s} {level:8s} {middle:8.3f} s CPU   {ratio}", flush=True)


def long_trace(packets: float, out: Path) -> None:
    """Write a long trace, summarise it, and print what that took."""
    with RunDirectory.create(out, force=True) as directory:
        noc = {"fifo_packets": 8}
        directory.write_experiment({"machine": {"name": CASE.machine, "noc": noc}})
        used, copies, grants = traffic("packets", out, packets)
        directory.finish({"note": "uniform traffic"})
    size = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{copies:,} packets, {grants:,} grants: written in {used:.0f} s CPU", flush=True)
    print(f"{size / 1e6:,.0f} MB, {size / copies:.1f} bytes a packet; peak {peak:,.0f} MB RSS")
    begun = time.process_time()
    run = open_run(out)
    found = sections(run, ("latency", "slowest", "channels", "late"), by=("kind", "hops"))
    used = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(len(section.table) for section in found if section.table is not None)
    print(f"summarised in {used:.0f} s CPU ({rows} rows); peak {peak:,.0f} MB RSS")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=("yinyang", "traffic"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--samples", type=int, default=440)
    parser.add_argument("--packets", type=float, help="write and summarise a trace of this length")
    parser.add_argument("--out", type=Path, default=Path("long-trace"))
    parser.add_argument("--keep", action="store_true", help="keep the long trace")
    options = parser.parse_args()
    if options.packets:
        long_trace(options.packets, options.out)
        if not options.keep:
            shutil.rmtree(options.out)
        return
    for name in ("yinyang", "traffic"):
        if options.only in (None, name):
            ratios(name, options.repeat, options.samples)
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


if __name__ == "__main__":
    main()
