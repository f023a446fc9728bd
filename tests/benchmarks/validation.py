"""The figures of docs/validation.md: the network against theory and published ceilings.

    python tests/benchmarks/validation.py [--section NAME] [--network compiled] [--update]

Prints the tables; ``--update`` writes them into the page. Everything is drawn from fixed seeds, so
the same sources print the same figures. Takes some minutes with the compiled network.
"""

from __future__ import annotations

import argparse
import heapq
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.builder import MachineBuilder
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_shipped
from chipsim.machine.model import ChannelClass, EndpointKind, Machine, PortKind
from chipsim.machine.routes import unicast
from chipsim.network.api import Deliveries, NetworkOptions, Sends
from chipsim.network.traffic import (
    Fixed,
    Request,
    Span,
    Synthetic,
    TrafficResult,
    prepare,
    run_traffic,
)
from chipsim.network.traffic.arrivals import Bernoulli
from chipsim.network.traffic.destinations import Destinations
from chipsim.network.traffic.drive import make_network
from chipsim.network.traffic.nodes import Nodes
from chipsim.network.traffic.parcel import Parcel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "validation.md"
Rows = list[list[str]]


# Zero load ----------------------------------------------------------------------------------------


def zero_load(
    machine: Machine, network: str, every: int = 1
) -> tuple[Deliveries, NDArray[np.int64]]:
    """Send one packet at a time between every two PEs; return deliveries and send times [ps].

    With ``every`` = n only each n-th PE takes part.
    """
    pes = machine.pes()[::every]
    net = make_network(network, machine, NetworkOptions())
    pairs = [(int(a), int(b)) for a in pes for b in pes]
    routes = net.add_routes([unicast(machine, a, b) for a, b in pairs])
    count = len(pairs)
    apart_ps = (
        10 * int(machine.channel_latency_ps.max()) * (machine.grid_width + machine.grid_height)
    )
    at = np.arange(1, count + 1, dtype=np.int64) * apart_ps
    source = np.array([a for a, _ in pairs], dtype=np.int32)
    zeros = np.zeros(count, dtype=np.int32)
    net.send(
        Sends(
            port=machine.endpoint_port[source],
            earliest_ps=at,
            gap_ps=np.zeros(count, dtype=np.int64),
            route=routes,
            source=source,
            seq=np.arange(count, dtype=np.int64),
            key=np.arange(count, dtype=np.uint32),
            payload=np.zeros((count, 4), dtype=np.uint32),
            net=zeros,
            tick=zeros,
            tag=zeros,
        )
    )
    end = int(at[-1]) + apart_ps
    if net.lazy:
        while net.advance(end) < end:
            pass
    else:
        net.run_until(end)  # type: ignore[attr-defined]
    found = net.take(2 * pes, end)
    return found.select(np.argsort(found.seq)), at


def zero_load_rows(network: str, names: Sequence[str] = ("mesh-8x8", "spinnaker2")) -> Rows:
    """Compare every pair's latency with hop time times routers visited (plus injection)."""
    rows = []
    for name in names:
        machine = load_machine(name)
        found, at = zero_load(machine, network)
        pes = machine.pes()
        one, other = np.repeat(pes, len(pes)), np.tile(pes, len(pes))
        dx = np.abs(machine.endpoint_x[one] - machine.endpoint_x[other])
        dy = np.abs(machine.endpoint_y[one] - machine.endpoint_y[other])
        hop_ps = int(machine.channel_latency_ps.max())
        inject = 0 if name != "spinnaker2" else hop_ps
        latency = found.time_ps - at
        off = int(np.abs(latency - inject - hop_ps * found.hops).max())
        straight = found.hops == dx + dy + 1
        assert (found.hops >= dx + dy + 1).all()
        rows.append(
            [
                name,
                f"{len(latency):,}",
                f"{hop_ps / 1000:.3f} ns",
                f"{latency.min() / 1000:.3f} to {latency.max() / 1000:.3f} ns",
                f"{off} ps",
                f"{100 * straight.mean():.1f} %",
            ]
        )
    return rows


# M/D/1 --------------------------------------------------------------------------------------------


def md1(load: float, cycles: int, seeds: Sequence[int], network: str) -> tuple[float, float]:
    """Return mean wait [cycles] and its standard error: Poisson arrivals at one channel."""
    waits = []
    for seed in seeds:
        run = prepare(
            Request(
                "mesh-1x1",
                "poisson",
                rate=str(load),
                cycles=str(cycles),
                seed=str(seed),
                network=network,
            )
        ).run()
        assert run.mean_latency_cycles is not None
        waits.append(run.mean_latency_cycles - 1)
    return float(np.mean(waits)), float(np.std(waits, ddof=1) / math.sqrt(len(waits)))


def pollaczek_khinchine(load: float) -> float:
    """Return the mean wait of M/D/1 with unit service time."""
    return load / (2 * (1 - load))


def md1_rows(
    network: str,
    loads: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
    cycles: int = 200_000,
) -> Rows:
    """Compare waits with Pollaczek and Khinchine's."""
    rows = []
    for index, load in enumerate(loads):
        # Seeds of its own: one seed's arrivals differ between loads in scale alone.
        wait, error = md1(load, cycles, range(100 * index, 100 * index + 32), network)
        theory = pollaczek_khinchine(load)
        sigma = (wait - theory) / error
        rows.append([f"{load:g}", f"{theory:.4f}", f"{wait:.4f}", f"{error:.4f}", f"{sigma:+.1f}"])
    return rows


# Head-of-line blocking ----------------------------------------------------------------------------

SWITCHES = range(2, 9)
"""Inputs and outputs of the switches of the page."""


def hol_exact(ports: int) -> float:
    """Return the throughput of a saturated switch with one FIFO an input, per port and cycle.

    A Markov chain over how many heads of line wait for each output, outputs being alike: every
    output that is asked for serves one, and each served input's next packet asks for any output
    (the model of Karol, Hluchyj and Morgan 1987, doi:10.1109/TCOM.1987.1096719).
    """
    states = [tuple(state) for state in _partitions(ports, ports)]
    number = {state: index for index, state in enumerate(states)}
    moves = np.zeros((len(states), len(states)))
    served = np.array([sum(waiting > 0 for waiting in state) for state in states])
    for state, count in zip(states, served.tolist(), strict=True):
        left = tuple(sorted((max(0, waiting - 1) for waiting in state), reverse=True))
        after = {left: 1.0}
        for _ in range(count):
            after = _one_more_head(after)
        for target, chance in after.items():
            moves[number[state], number[target]] += chance
    balance = np.vstack([moves.T - np.eye(len(states)), np.ones(len(states))])
    total = np.zeros(len(states) + 1)
    total[-1] = 1.0
    stationary = np.linalg.lstsq(balance, total, rcond=None)[0]
    return float(stationary @ served / ports)


def _partitions(total: int, places: int, most: int | None = None) -> Iterator[list[int]]:
    """Yield the ways to write ``total`` as ``places`` numbers in descending order."""
    if places == 0:
        if total == 0:
            yield []
        return
    for first in range(min(total, total if most is None else most), -1, -1):
        for rest in _partitions(total - first, places - 1, first):
            yield [first, *rest]


def _one_more_head(chances: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    found: dict[tuple[int, ...], float] = {}
    for state, chance in chances.items():
        for output in range(len(state)):
            heads = list(state)
            heads[output] += 1
            target = tuple(sorted(heads, reverse=True))
            found[target] = found.get(target, 0.0) + chance / len(state)
    return found


def switch(ports: int) -> Machine:
    """Return one router with ``ports`` source FIFOs and as many outputs."""
    builder = MachineBuilder(f"switch-{ports}", load_shipped("mesh").with_settings({}), 1, 1)
    cls = builder.channel_class(ChannelClass("eject", {0: 1}))
    node = builder.node("switch", x=0, y=0)
    for index in range(ports):
        port = builder.port(node, 0, PortKind.SOURCE)
        sink = builder.port(-1, 0, PortKind.SINK)
        builder.channel(node, sink, cls, 1000, 1000, 1000)
        builder.endpoint(EndpointKind.PE, port=port, sink=sink, x=0, y=0, index=index)
    return builder.build()


class ToAny(Destinations):
    """Uniform, for a machine of one tile."""

    def to(self, source: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return a destination for each source."""
        return rng.integers(len(self.nodes), size=len(source))


def hol(ports: int, cycles: int, network: str) -> float:
    """Return what a saturated switch accepts, per port and cycle."""
    machine = switch(ports)
    work = Synthetic(Bernoulli(ports, 1.0, 1000), ToAny(Nodes.of(machine)), 1)
    return run_traffic(machine, work, Span(cycles, cycles // 10, 0), network=network).accepted_rate


def hol_rows(network: str, cycles: int = 200_000) -> Rows:
    """Compare saturated switches with their Markov chains."""
    return [
        [f"{n} x {n}", f"{hol_exact(n):.4f}", f"{hol(n, cycles, network):.4f}"] for n in SWITCHES
    ]


# Saturation of a mesh -----------------------------------------------------------------------------


def channel_bound(machine: Machine, pattern: str) -> tuple[float, float]:
    """Return the rate at which the busiest channel is full, and the mean routers visited.

    The load of a channel is the expected number of flits per cycle over all flows, at one packet
    per node and cycle; its inverse is Dally and Towles's bound (their section 3.3).
    """
    work = prepare(Request(machine.name, pattern, rate="0.1", cycles="10")).workloads[0]
    flows = work.used(1 << 20)
    assert flows is not None
    load = np.zeros(machine.channels)
    routers = 0
    for flow in flows.tolist():
        source, (dest,) = work.ends(flow)
        channels = [stage[0].channel for stage in unicast(machine, source, dest).stages]
        load[channels] += work.nodes / len(flows)
        routers += len(channels)
    return float(1 / load.max()), routers / len(flows)


def measure(
    pattern: str, rate: float, fifo: object, cycles: int, network: str, drain: int = 0
) -> TrafficResult:
    """Run a pattern on an 8 x 8 mesh."""
    request = Request(
        "mesh-8x8",
        pattern,
        rate=str(rate),
        cycles=str(cycles),
        drain=str(drain),
        network=network,
        settings={"noc.fifo_packets": fifo},
    )
    return prepare(request).run()


def saturation(
    pattern: str, fifo: object, zero_load: float, cycles: int, network: str
) -> tuple[float, float]:
    """Return the highest rate whose mean latency is below 3 x zero load, and what full load gives.

    The rate is found to 0.005; at its neighbour above, latency is that of growing queues.
    """
    full = measure(pattern, 1.0, fifo, cycles, network).accepted_rate
    low, high = 1, 200
    while high - low > 1:
        middle = (low + high) // 2
        found = measure(pattern, middle / 200, fifo, cycles, network, drain=cycles)
        latency = found.mean_latency_cycles or 0.0
        low, high = (middle, high) if latency < 3 * zero_load else (low, middle)
    return low / 200, full


def saturation_rows(
    network: str,
    fifos: Sequence[object] = (4, 8, "unbounded"),
    cycles: int = 20_000,
    patterns: Sequence[str] = ("uniform", "transpose", "tornado"),
) -> Rows:
    """Compare an 8 x 8 mesh with the bounds by channel load."""
    rows = []
    for pattern in patterns:
        bound, routers = channel_bound(load_machine("mesh-8x8"), pattern)
        for fifo in fifos:
            knee, full = saturation(pattern, fifo, routers, cycles, network)
            rows.append(
                [
                    pattern,
                    str(fifo),
                    f"{routers:.2f}",
                    f"{bound:.4f}",
                    f"{knee:.3f}",
                    f"{100 * knee / bound:.0f} %",
                    f"{full:.3f}",
                ]
            )
    return rows


def free_times(machine: Machine, rate: float, cycles: int, warmup: int) -> float:
    """Return the mean latency [cycles] of a model that knows links' next free times alone.

    The same packets; each takes a link when it and the link are there, in order of arrival, and
    nothing ever blocks a FIFO: queues are unbounded and one an output.
    """
    request = Request(machine.name, "uniform", rate=str(rate), cycles=str(cycles))
    work = prepare(request).workloads[0]
    paths: dict[int, list[int]] = {}
    heap: list[tuple[int, int, int, int]] = []
    created: list[int] = []
    for time_ps, flows in work.blocks(cycles * 1000):
        for at, flow in zip((time_ps // 1000).tolist(), flows.tolist(), strict=True):
            heap.append((at, len(created), flow, 0))
            created.append(at)
    heapq.heapify(heap)
    free = [0] * machine.channels
    latencies = []
    while heap:
        now, number, flow, step = heapq.heappop(heap)
        if flow not in paths:
            source, (dest,) = work.ends(flow)
            paths[flow] = [s[0].channel for s in unicast(machine, source, dest).stages]
        path = paths[flow]
        if step == len(path):
            if created[number] >= warmup:
                latencies.append(now - created[number])
            continue
        start = max(now, free[path[step]])
        free[path[step]] = start + 1
        heapq.heappush(heap, (start + 1, number, flow, step + 1))
    return float(np.mean(latencies))


def free_times_rows(
    network: str, rates: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.35, 0.37), cycles: int = 10_000
) -> Rows:
    """Compare latencies with the model of free times, under uniform traffic and FIFO 8."""
    rows = []
    for rate in rates:
        full = measure("uniform", rate, 8, cycles, network, drain=cycles).mean_latency_cycles
        assert full is not None
        simple = free_times(load_machine("mesh-8x8"), rate, cycles, cycles // 5)
        rows.append(
            [f"{rate:g}", f"{full:.3f}", f"{simple:.3f}", f"{100 * (simple / full - 1):+.1f} %"]
        )
    return rows


# Credits ------------------------------------------------------------------------------------------


def credit(fifo: int, hop: int, credit_cycles: int, network: str) -> tuple[float, float]:
    """Return throughput of one channel in theory and measured, with ``fifo`` slots behind it."""
    machine = load_machine(
        "mesh-2x1",
        {"noc.hop_cycles": hop, "noc.credit_cycles": credit_cycles, "noc.fifo_packets": fifo},
    )
    work = Synthetic(Bernoulli(2, 1.0, 1000), Fixed(Nodes.of(machine), np.array([1, -1])), 1)
    period = hop + 1 + credit_cycles
    # A window of whole periods: the pattern of grants repeats after one.
    run = run_traffic(machine, work, Span(120 * period, 20 * period, 0), network=network)
    return min(1.0, fifo / period), run.accepted_rate * 2


def credit_rows(network: str) -> Rows:
    """Compare channel throughput with min(1, B flit / (latency + flit + credit))."""
    rows = []
    for hop, credit_cycles in ((1, 1), (5, 1), (9, 6)):
        pairs = [credit(fifo, hop, credit_cycles, network) for fifo in range(1, 17)]
        off = max(abs(theory - measured) for theory, measured in pairs)
        shown = " ".join(f"{measured:.3f}" for _, measured in pairs)
        rows.append([f"{hop}", f"{credit_cycles}", shown, f"{off:.1e}"])
    return rows


# SpiNNaker2 ---------------------------------------------------------------------------------------

LINK_GBPS = 38.4
"""128 bit a flit, a flit a cycle, 300 MHz."""


def cut_permutation(machine: Machine) -> NDArray[np.int64]:
    """Return PE (x, y, i) -> PE (8 - x, y, i), over the middle; -1 for PEs without a partner."""
    pes = machine.pes()
    places = [
        (int(machine.endpoint_x[pe]), int(machine.endpoint_y[pe]), int(machine.endpoint_index[pe]))
        for pe in pes
    ]
    number = {place: n for n, place in enumerate(places)}
    partners = [number.get((8 - x, y, i), -1) if x != 4 else -1 for x, y, i in places]
    return np.array(partners, dtype=np.int64)


def cut(transit: bool, cycles: int, network: str) -> tuple[int, float, float]:
    """Return links open across x = 3 | 4 (both ways), their mean load, and Gbit/s across."""
    machine = load_machine("spinnaker2", {"floor.router_transit": transit})
    work = Synthetic(
        Bernoulli(152, 1.0, 300), Fixed(Nodes.of(machine), cut_permutation(machine)), 1
    )
    run = run_traffic(
        machine, work, Span(cycles, cycles // 4, 0), network=network, parcel=Parcel(128)
    )
    near = machine.channel_node
    far = machine.port_node[machine.channel_port]
    mesh = np.array([machine.classes[c].name == "noc" for c in machine.channel_class])
    over = mesh & (far >= 0)
    x, u = machine.node_x[near], machine.node_x[np.maximum(far, 0)]
    over &= ((x == 3) & (u == 4)) | ((x == 4) & (u == 3))
    loads = np.array(run.channel_loads)[over]
    return int(over.sum()), float(loads.mean()), float(loads.sum() * LINK_GBPS)


def cut_rows(network: str, cycles: int = 20_000) -> Rows:
    """Compare the throughput across the middle cut with the open links'."""
    rows = []
    for transit in (False, True):
        links, load, gbps = cut(transit, cycles, network)
        rows.append(
            [
                "passes through" if transit else "ends at the router block",
                f"{links // 2} x 2",
                f"{links * LINK_GBPS:.1f}",
                f"{gbps:.1f}",
                f"{100 * load:.1f} %",
            ]
        )
    return rows


def router(rate: float, cycles: int, network: str) -> tuple[float, float]:
    """Return packets per second [M/s] offered to and passed by the packet router."""
    run = prepare(
        Request(
            "spinnaker2",
            "uniform",
            rate=str(rate),
            cycles=str(cycles),
            drain="0",
            transport="router",
            network=network,
        )
    ).run()
    machine = load_machine("spinnaker2")
    lookup = [machine.classes[c].name for c in machine.channel_class].index("lookup")
    flit_ps = int(machine.channel_flit_ps[lookup])
    return run.offered_rate * run.nodes * 300, run.channel_loads[lookup] * 1e6 / flit_ps


def router_rows(network: str, cycles: int = 10_000) -> Rows:
    """Compare the packet router's throughput with one packet a cycle of 400 MHz."""
    rows = []
    for rate in (0.002, 0.005, 0.008, 0.0085, 0.009, 0.02, 0.1):
        offered, passed = router(rate, cycles, network)
        rows.append([f"{rate:g}", f"{offered:.1f}", f"{passed:.1f}", f"{passed / 4:.1f} %"])
    return rows


# The page -----------------------------------------------------------------------------------------

SECTIONS: dict[str, tuple[tuple[str, ...], Callable[[str], Rows]]] = {
    "zero-load": (
        ("machine", "pairs", "hop", "latency", "largest difference", "without detour"),
        zero_load_rows,
    ),
    "md1": (("load", "theory", "simulated", "standard error", "difference / error"), md1_rows),
    "hol": (("switch", "exact", "simulated"), hol_rows),
    "saturation": (
        ("pattern", "FIFO", "routers", "bound", "saturates above", "of bound", "at full load"),
        saturation_rows,
    ),
    "free-times": (
        ("rate", "latency [cycles]", "free times alone", "difference"),
        free_times_rows,
    ),
    "credits": (
        ("hop", "credit", "throughput for B = 1 ... 16", "largest difference"),
        credit_rows,
    ),
    "cut": (("NoC traffic", "open links", "their sum", "across", "of it"), cut_rows),
    "router": (("packets/PE/cycle", "offered [M/s]", "passed [M/s]", "of 400 M/s"), router_rows),
}


def markdown(header: Sequence[str], rows: Rows) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def update(page: str, name: str, table: str) -> str:
    """Return the page with the table ``name`` replaced."""
    begin, end = f"<!-- figures: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert len(pattern.findall(page)) == 1, f"{PAGE} has not one {begin}"
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", page)


def main() -> None:
    """Print the tables, and write them into the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", choices=SECTIONS, action="append")
    parser.add_argument("--network", default="compiled")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.section or SECTIONS:
        header, rows = SECTIONS[name]
        table = markdown(header, rows(arguments.network))
        print(f"\n{name}\n\n{table}", flush=True)
        if arguments.update:
            PAGE.write_text(update(PAGE.read_text(), name, table))


if __name__ == "__main__":
    main()
