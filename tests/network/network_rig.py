"""Small machines for hand-computed cases: latency 30, flit time 10, credit latency 20 ps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chipsim.machine.builder import MachineBuilder
from chipsim.machine.model import (
    ChannelClass,
    EndpointKind,
    FullPolicy,
    Machine,
    NodeKind,
    PortKind,
)
from chipsim.machine.route import SINK, Branch, Route
from chipsim.network.api import NetworkOptions
from chipsim.testing.conformance import NetworkFactory, Outcome, assert_conserved, run_script
from chipsim.testing.scripts import Action, Case, Row, Send

L, F, C = 30, 10, 20
T0 = 100


class Rig:
    """Builds a machine piece by piece; sinks become endpoints 0, 1, … in order."""

    def __init__(self) -> None:
        self.builder = MachineBuilder("rig", None, 1, 1)  # type: ignore[arg-type]
        self.cls = self.builder.channel_class(ChannelClass("noc", {0: 1, 32: 2, 128: 4}))
        self.sinks: list[int] = []
        self.nodes = 0

    def node(self, kind: NodeKind = NodeKind.FIFO, wait_ps: int = -1, hop: bool = True) -> int:
        self.nodes += 1
        return self.builder.node(f"n{self.nodes - 1}", kind=kind, wait_ps=wait_ps, hop=hop)

    def source(self, node: int, capacity: int = 0) -> int:
        return self.builder.port(node, capacity, PortKind.SOURCE)

    def link(
        self, node: int, far: int, capacity: int = 0, lat: int = L, flit: int = F, credit: int = C
    ) -> int:
        port = self.builder.port(far, capacity)
        return self.builder.channel(node, port, self.cls, lat, flit, credit)

    def sink(
        self,
        node: int,
        capacity: int = 0,
        full: FullPolicy = FullPolicy.STALL,
        flit: int = F,
        lat: int = L,
    ) -> int:
        port = self.builder.port(-1, capacity, PortKind.SINK, full)
        self.sinks.append(port)
        return self.builder.channel(node, port, self.cls, lat, flit, C)

    def build(self) -> Machine:
        for number, port in enumerate(self.sinks):
            self.builder.endpoint(EndpointKind.PE, port=-1, sink=port, x=number, y=0)
        return self.builder.build()


def path(port: int, *channels: int, bits: int = 0, memory: bool = False) -> Route:
    """Return the route along ``channels``."""
    last = len(channels) - 1
    stages = tuple((Branch(c, SINK if i == last else i + 1),) for i, c in enumerate(channels))
    return Route(port, stages, bits, memory)


def fan(port: int, *channels: int, bits: int = 0) -> Route:
    """Return the route that branches at once into ``channels``, which end in sinks."""
    return Route(port, (tuple(Branch(c, SINK) for c in channels),), bits)


@dataclass
class Played:
    outcome: Outcome

    @property
    def ends(self) -> list[tuple[int, int, int]]:
        """(seq, endpoint, time) of everything that was taken, by time."""
        rows = [
            row
            for table in self.outcome.taken
            for row in zip(
                table.seq.tolist(), table.endpoint.tolist(), table.time_ps.tolist(), strict=True
            )
        ]
        return sorted(rows, key=lambda row: (row[2], row[1]))

    @property
    def drops(self) -> list[tuple[int, int, int]]:
        """(seq, port, time) of everything that was dropped or overwritten."""
        d = self.outcome.drops
        return list(zip(d.seq.tolist(), d.row.tolist(), d.time_ps.tolist(), strict=True))

    def grants(self, channel: int) -> list[tuple[int, int]]:
        """(seq, time) of the grants on a channel."""
        h = self.outcome.hops
        rows = zip(h.channel.tolist(), h.seq.tolist(), h.granted_ps.tolist(), strict=True)
        return [(seq, time) for c, seq, time in rows if c == channel]


def play(
    factory: NetworkFactory,
    machine: Machine,
    routes: Sequence[Route],
    rows: Sequence[tuple[int, int] | tuple[int, int, int]],
    *actions: Action,
    end: int = 5000,
) -> Played:
    """Send ``(route, earliest[, gap])`` as packets 0, 1, … and return what came of it."""
    sent = tuple(
        Row(row[0], row[1], row[2] if len(row) > 2 else 0, key=i, seq=i)
        for i, row in enumerate(rows)
    )
    case = Case(
        machine, tuple(routes), (Send(0, sent), *actions), end, NetworkOptions(hop_log=True)
    )
    outcome = run_script(factory, case)
    assert_conserved(case, outcome)
    return Played(outcome)
