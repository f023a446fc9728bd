"""Packet-hops per CPU second of the compiled network, over loads and kinds of traffic.

    python tests/benchmarks/network_speed.py [--check] [--only TEXT] [--repeat 5] [--hops 2e6]

Bernoulli injection in every cycle at every endpoint; statistics on; what is timed is the hand-over
(:meth:`send` of all endpoints' packets, a block of cycles at a time) and the network's own work,
not the making of random numbers. Medians of several runs; compilation is done before the clock
starts. The checksum is taken over (key, sequence number, endpoint, delivery time, hops, waits) of
every copy of a short run of the same traffic; ``--check`` compares it with the SimPy reference's.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.library import load_machine
from chipsim.machine.route import Route
from chipsim.network.api import Network, NetworkOptions, Sends
from chipsim.network.compiled import Network as CompiledNetwork
from chipsim.network.reference import Network as ReferenceNetwork
from chipsim.network.traffic.parcel import Parcel, make_route
from chipsim.seeds import rng
from chipsim.units import cycles

SHORT_CYCLES = 300
BLOCK_ROWS = 4000


@dataclass(frozen=True)
class Case:
    """One line of the table: a machine, a load [packets per endpoint and cycle], a traffic."""

    label: str
    machine: str
    load: float
    fanout: int = 1
    settings: tuple[tuple[str, object], ...] = ()


FIFO_8 = (("noc.fifo_packets", 8),)
CASES = [
    *(Case("mesh-8x8 uniform", "mesh-8x8", load, 1, FIFO_8) for load in (0.01, 0.05, 0.2, 0.35)),
    Case("mesh-8x8 beyond saturation", "mesh-8x8", 0.6, 1, FIFO_8),
    *(Case("mesh-8x8 multicast(8)", "mesh-8x8", load, 8, FIFO_8) for load in (0.005, 0.05)),
    *(Case("spinnaker2 PE to PE", "spinnaker2", load) for load in (0.005, 0.02)),
    *(Case("torus-12x12 uniform", "torus-12x12", load) for load in (0.05, 0.2)),
]


class Traffic:
    """Routes of a case, and its packets block by block; the same for every network."""

    def __init__(self, case: Case) -> None:
        self.case = case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.machine = load_machine(case.machine, dict(case.settings))
        self.period = cycles(1, self.machine.description.number("noc.clock_mhz"))
        self.sources = self.machine.pes()
        self.routes = self._routes()
        self.per_source = len(self.routes) // len(self.sources)

    def _routes(self) -> list[Route]:
        machine, ends = self.machine, self.sources.tolist()
        if self.case.fanout == 1:
            return [make_route(machine, s, (d,), Parcel()) for s in ends for d in ends]
        draw = rng(1, "trees")
        trees = [
            (s, tuple(sorted(draw.choice(ends, self.case.fanout, replace=False).tolist())))
            for s in ends
            for _ in range(8)
        ]
        return [make_route(machine, s, dests, Parcel()) for s, dests in trees]

    def blocks(self, length: int) -> Iterator[tuple[int, Sends]]:
        """Yield the end of each block of cycles [ps] and its packets, over ``length`` cycles."""
        draw = rng(1, "traffic")
        count = len(self.sources)
        size = max(1, int(BLOCK_ROWS / (self.case.load * count)))
        seq = 0
        for first in range(0, length, size):
            last = min(first + size, length)
            cycle, who = np.nonzero(draw.random((last - first, count)) < self.case.load)
            which = draw.integers(0, self.per_source, len(who))
            sends = self._sends(first + cycle, who, which, seq)
            seq += len(who)
            yield last * self.period - 1, sends

    def _sends(
        self,
        cycle: NDArray[np.int64],
        who: NDArray[np.int64],
        which: NDArray[np.int64],
        seq: int,
    ) -> Sends:
        count = len(who)
        zeros = np.zeros(count, dtype=np.int32)
        return Sends(
            port=self.machine.endpoint_port[self.sources[who]],
            earliest_ps=cycle * self.period,
            gap_ps=np.zeros(count, dtype=np.int64),
            route=(who * self.per_source + which).astype(np.int32),
            source=who.astype(np.int32),
            seq=seq + np.arange(count),
            key=who.astype(np.uint32),
            payload=np.zeros((count, 4), dtype=np.uint32),
            net=zeros,
            tick=zeros,
            tag=zeros,
        )


def timed(traffic: Traffic, length: int) -> tuple[float, int, int]:
    """Return (CPU s, packet-hops, packets) of ``length`` cycles, statistics on."""
    options = NetworkOptions(consume=True, bin_ps=traffic.period, bins=4096)
    network = CompiledNetwork(traffic.machine, options=options)
    network.add_routes(traffic.routes)
    used = 0.0
    for end, sends in traffic.blocks(length):
        begun = time.process_time()
        network.send(sends)
        network.advance(end)
        used += time.process_time() - begun
    counters = network.counters()
    missing = counters.expected - counters.delivered - counters.in_flight
    assert missing == 0, f"{missing} copies lost"
    return used, counters.packet_hops, counters.sent


def checksum(network: Network, traffic: Traffic, length: int) -> str:
    """Return a hash over every delivery of ``length`` cycles and what follows."""
    network.add_routes(traffic.routes)
    end = 0
    for end, sends in traffic.blocks(length):
        network.send(sends)
        _advance(network, end)
    end += 100 * length * traffic.period
    _advance(network, end)
    inboxes = np.arange(2 * traffic.machine.endpoints, dtype=np.int32)
    got = network.take(inboxes, end)
    digest = hashlib.blake2b(digest_size=6)
    for column in (got.row, got.key, got.seq, got.time_ps, got.hops, got.waited_ps):
        digest.update(np.ascontiguousarray(column).tobytes())
    return f"{digest.hexdigest()} ({len(got)} copies)"


def _advance(network: Network, end: int) -> None:
    if isinstance(network, ReferenceNetwork):
        network.run_until(end)
    else:
        network.advance(end)


def measure(case: Case, hops: float, repeat: int, check: bool) -> str:
    """Return a case's line of the table."""
    traffic = Traffic(case)
    trial = 2000
    _, got, _ = timed(traffic, trial)  # also compiles
    length = max(trial, int(trial * hops / max(got, 1)))
    runs = [timed(traffic, length) for _ in range(repeat)]
    speed = statistics.median(got / used for used, got, _ in runs)
    spread = max(got / used for used, got, _ in runs), min(got / used for used, got, _ in runs)
    mine = checksum(CompiledNetwork(traffic.machine), traffic, SHORT_CYCLES)
    line = (
        f"{case.label:28s} {case.load:6.3f}  {speed / 1e6:6.2f} M/s "
        f"({spread[1] / 1e6:.2f} to {spread[0] / 1e6:.2f})  {runs[0][1]:>10,} hops  {mine}"
    )
    if check:
        theirs = checksum(ReferenceNetwork(traffic.machine), traffic, SHORT_CYCLES)
        line += "  equal to the reference" if mine == theirs else f"  REFERENCE HAS {theirs}"
    return line


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare checksums with the reference")
    parser.add_argument("--only", default="", help="cases whose label contains this text")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--hops", type=float, default=2e6, help="packet-hops of a run")
    arguments = parser.parse_args()
    for case in CASES:
        if arguments.only in case.label:
            print(measure(case, arguments.hops, arguments.repeat, arguments.check), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"largest memory of the process: {peak} MiB")


if __name__ == "__main__":
    main()
