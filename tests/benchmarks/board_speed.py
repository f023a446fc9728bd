"""CPU time per PE tick and per packet-hop: a board of 48 chips beside a single chip.

    python tests/benchmarks/board_speed.py [--ticks 40] [--repeat 3] [--network | --busy]

Every PE runs a batched kernel, which takes what has arrived and sends to a PE of its own: on the
board to the PE of the same place on a neighbouring chip, by the packet routers' tables; on one chip
to a PE four further on, by the packet router as well. ``--rate`` packets a simulated second on the
whole board (10 million: 10,000 a tick of 1 ms), the same share per PE elsewhere. Three cases: all
PEs of the board; all PEs of one chip; the same one chip's PEs on the board, of which the other 47
chips have nothing to do. What is timed is the run alone, compilation and building left out, once
without packets (time per PE tick) and once with them (the difference per packet-hop).

With ``--network`` the calls that such a run makes to its network are noted and made again to the
network alone, the three cases in turn: CPU time per packet-hop in ``send``, ``advance`` and
``take``, after the first ticks. A busy chip on a board should cost what it costs alone.

With ``--busy`` the same for 1 to 48 busy chips of the board that send to no other chip: the work of
a packet-hop is the same in all of these cases, and what differs is how many records are in use.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping import Application, Net, Place, Vertex, map_application
from chipsim.sim.program import Effect, Kernel, Program, StepCall
from chipsim.sim.simulation import Simulation

BOARD = "spinnaker2-48"
CHIP = "spinnaker2"
BOARD_PES = 7296
TICKS_PER_S = 1000
WARM_UP = 3


class Senders(Kernel):
    """Each row sends ``share`` packets a tick on average, evenly in time and over rows."""

    def __init__(self, rows: int, share: float) -> None:
        self.share = share
        # Rows begin at different phases, so that every tick has the same number of packets.
        self.phase = np.arange(rows) / rows
        self.plan: Any = None
        self.received = 0

    def step(self, call: StepCall) -> None:
        """Count what came and send what is due."""
        self.received += len(call.inbox.row)
        at = self.phase[call.rows] + self.share * call.step
        due = (np.floor(at + self.share) - np.floor(at)).astype(np.int64)
        position = np.repeat(np.arange(len(due), dtype=np.int32), due)
        call.send(self.plan, position, np.zeros(len(position), dtype=np.int64))


@dataclass
class Ticking(Program):
    """Runs the kernel for a number of ticks."""

    kernel: Kernel
    ticks: int

    def run(self, pe: Any) -> Generator[Effect, Any, None]:
        """Step."""
        yield pe.step(self.kernel, ticks=self.ticks)


@dataclass
class Case:
    """One row of the table."""

    label: str
    machine: Machine
    pes: NDArray[np.int32]
    sink: NDArray[np.int64]
    quiet_s: list[float] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)
    hops: int = 0
    packets: int = 0


def place_of(machine: Machine, endpoint: int) -> Place:
    """Return a PE's place."""
    return Place(
        int(machine.endpoint_x[endpoint]),
        int(machine.endpoint_y[endpoint]),
        int(machine.endpoint_index[endpoint]),
        int(machine.endpoint_chip[endpoint]),
    )


def across(machine: Machine, pes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for each PE of a board the number of its partner on a neighbouring chip."""
    assert machine.chips is not None
    per_chip = len(pes) // len(machine.chips)
    chip = np.arange(len(pes)) // per_chip
    neighbours = machine.chips.neighbour
    # PEs of a chip take its live links in turn.
    live = [row[row >= 0] for row in neighbours]
    turn = np.arange(len(pes)) % per_chip
    far = np.array([live[c][t % len(live[c])] for c, t in zip(chip, turn, strict=True)])
    return far * per_chip + turn


def cases() -> list[Case]:
    """Return the three cases."""
    board, chip = load_machine(BOARD), load_machine(CHIP)
    every, own = board.pes(), chip.pes()
    near = (np.arange(len(own)) + 4) % len(own)
    return [
        Case("48 chips, all PEs", board, every, across(board, every)),
        Case("one chip", chip, own, near),
        Case("one chip's PEs on the board", board, every[: len(own)], near),
    ]


def islands(counts: Sequence[int]) -> list[Case]:
    """Return cases in which some chips of a board are busy and send to none but their own PEs."""
    board = load_machine(BOARD)
    assert board.chips is not None
    every = board.pes()
    per_chip = len(every) // len(board.chips)
    found = []
    for busy in counts:
        number = np.arange(busy * per_chip)
        near = number // per_chip * per_chip + (number + 4) % per_chip
        found.append(Case(f"{busy} of 48 chips, on their own", board, every[: len(number)], near))
    return found


def prepared(case: Case, share: float, ticks: int) -> tuple[Simulation, Senders]:
    """Return a case's simulation, ready to run."""
    names = [f"v{i}" for i in range(len(case.pes))]
    vertices = tuple(
        Vertex(name, fixed=place_of(case.machine, int(end)))
        for name, end in zip(names, case.pes, strict=True)
    )
    nets = tuple(
        Net(f"n{i}", name, (names[int(case.sink[i])],), key_bits=1) for i, name in enumerate(names)
    )
    application = Application("board_speed", vertices, nets, "router_multicast")
    mapping = map_application(application, case.machine, "sequential", "default", 0)
    kernel = Senders(len(names), share)
    programs: dict[str, Program] = {name: Ticking(kernel, ticks + WARM_UP) for name in names}
    simulation = Simulation(mapping, programs, tick_us=1e6 / TICKS_PER_S)
    simulation.bind(kernel, names)
    kernel.plan = simulation.send_plan([net.name for net in nets])
    return simulation, kernel


def simulate(case: Case, share: float, ticks: int) -> tuple[float, Simulation, Senders]:
    """Run a case and return the CPU time of its ticks after the first few [s]."""
    simulation, kernel = prepared(case, share, ticks)
    tick_ps = simulation.clock.tick_ps
    gc.collect()
    # Tick k begins at (k + 1) ticks; the first ones compile and fill buffers.
    simulation.run(until_ps=WARM_UP * tick_ps + tick_ps // 2)
    start = time.process_time()
    simulation.run(until_ps=(WARM_UP + ticks) * tick_ps + tick_ps // 2)
    return time.process_time() - start, simulation, kernel


class Noted:
    """Notes the calls that are made to a network, which still happen."""

    NAMES = ("send", "advance", "take")

    def __init__(self, network: Any) -> None:
        self.made: list[tuple[str, tuple[Any, ...]]] = []
        self._network = network
        for name in self.NAMES:
            setattr(network, name, self._noting(name, getattr(network, name)))

    def _noting(self, name: str, method: Any) -> Any:
        def noting(*given: Any) -> Any:
            self.made.append((name, given))
            return method(*given)

        return noting

    def stop(self) -> None:
        """Let the network be as it was."""
        for name in self.NAMES:
            delattr(self._network, name)


class Replay:
    """What a case's run asks of its network, to be asked again of the network alone.

    The network is put back to its state before the run by a checkpoint's means.
    """

    def __init__(self, case: Case, share: float, ticks: int) -> None:
        simulation, _ = prepared(case, share, ticks)
        simulation.short_cuts = False  # every packet passes send and take
        self.network: Any = simulation.network
        self.before = {name: np.array(a) for name, a in self.network.state().items()}
        tick_ps = simulation.clock.tick_ps
        self.warm_ps = WARM_UP * tick_ps + tick_ps // 2
        self.calls = Noted(self.network)
        simulation.run(until_ps=(WARM_UP + ticks) * tick_ps + tick_ps // 2)
        self.calls.stop()

    def timed(self) -> dict[str, float]:
        """Return the CPU ns per packet-hop in each method, after the warm-up."""
        network = self.network
        network.restore(self.before)
        used, hops, warm = dict.fromkeys(Noted.NAMES, 0.0), 0, False
        for name, given in self.calls.made:
            if not warm and name == "advance" and given[0] >= self.warm_ps:
                warm, hops = True, network.counters().packet_hops
            method = getattr(network, name)
            begun = time.process_time()
            method(*given)
            if warm:
                used[name] += time.process_time() - begun
        hops = network.counters().packet_hops - hops
        return {name: took / hops * 1e9 for name, took in used.items()}


def network_alone(found: Sequence[Case], share: float, ticks: int, repeat: int) -> None:
    """Print the table of the cases; the runs of one chip are four times as long."""
    one = len(load_machine(CHIP).pes())
    replays = [Replay(case, share, ticks * (4 if len(case.pes) == one else 1)) for case in found]
    times: list[list[dict[str, float]]] = [[] for _ in found]
    for _ in range(repeat):
        for at, replay in enumerate(replays):
            times[at].append(replay.timed())
    load = os.getloadavg()[0]
    print(f"network alone, ns per packet-hop, median (least) of {repeat}, machine load {load:.0f}")
    print("| case | send | advance | take |")
    print("|---|---|---|---|")
    for case, rows in zip(found, times, strict=True):
        cells = []
        for name in Noted.NAMES:
            values = [row[name] for row in rows]
            cells.append(f"{statistics.median(values):.0f} ({min(values):.0f})")
        print(f"| {case.label} | {' | '.join(cells)} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rate", type=float, default=10e6, help="packets/s on the whole board")
    parser.add_argument("--network", action="store_true", help="the network alone")
    parser.add_argument("--busy", action="store_true", help="the network, by chips that are busy")
    options = parser.parse_args()
    share = options.rate / TICKS_PER_S / BOARD_PES
    if options.network or options.busy:
        wanted = islands((1, 3, 6, 12, 24, 48)) if options.busy else cases()
        network_alone(wanted, share, options.ticks, options.repeat)
        return
    found = cases()
    for repeat in range(options.repeat):
        for case in found:
            took, *_ = simulate(case, 0.0, options.ticks)
            case.quiet_s.append(took)
            took, simulation, kernel = simulate(case, share, options.ticks)
            case.busy_s.append(took)
            counters = simulation.network.counters()
            case.hops, case.packets = counters.packet_hops, counters.delivered
            assert not counters.dropped and kernel.received > 0, repeat
    print("| case | PEs | packets/s | packet-hops | ns per PE tick | ns per packet-hop |")
    print("|---|---|---|---|---|---|")
    for case in found:
        quiet, busy = statistics.median(case.quiet_s), statistics.median(case.busy_s)
        measured = options.ticks / (options.ticks + WARM_UP)  # of the packets and hops
        per_tick = quiet / options.ticks / len(case.pes) * 1e9
        per_hop = (busy - quiet) / (case.hops * measured) * 1e9
        rate = case.packets / (options.ticks + WARM_UP) * TICKS_PER_S
        print(
            f"| {case.label} | {len(case.pes)} | {rate / 1e6:.2f} M | {case.hops} | "
            f"{per_tick:.0f} | {per_hop:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
