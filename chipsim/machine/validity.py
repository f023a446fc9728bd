"""Whether a machine's nodes can realise a route; the first rule that is broken is named."""

from __future__ import annotations

from chipsim.errors import RouteError
from chipsim.machine.model import Branching, EndpointKind, Machine, Routing
from chipsim.machine.route import SINK, Branch, Route
from chipsim.machine.topology import Topology, is_source, topology

Tile = tuple[int, int]


def validate(machine: Machine, route: Route) -> None:
    """Check a route.

    Raises
    ------
    RouteError
        Naming node, channel and rule: the start is a source port; the payload size is known; the
        stages form one tree, each reached once; a branch leaves the node it stands at; it ends in a
        sink exactly where its channel does; no sink is reached twice; the node can split as it
        would have to; the output is the one that the node's look-up table or XY gives.

    Notes
    -----
    O(stages x destination tiles). Nodes that route by table or by the packet's source take any
    output.
    """
    _Check(machine, route).run()


class _Check:
    def __init__(self, machine: Machine, route: Route) -> None:
        self.machine = machine
        self.route = route
        self.known: Topology = topology(machine)
        self.node_of: dict[int, int] = {}
        self.order: list[int] = []
        self.sinks: set[int] = set()
        self.promised = {0}

    def run(self) -> None:
        machine, route = self.machine, self.route
        if not is_source(machine, route.port):
            raise RouteError(
                f"{machine.name}: a route starts at a source port, got port {route.port}; take "
                "endpoint_port or endpoint_dma_port of an endpoint"
            )
        first = route.stages[0][0].channel if route.stages and route.stages[0] else 0
        known = 0 <= first < machine.channels  # which the walk says more about
        sizes = machine.classes[int(machine.channel_class[first]) if known else 0].flits
        if route.payload_bits not in sizes:
            raise RouteError(
                f"{machine.name}: got a payload of {route.payload_bits} bit, expected one of "
                f"{', '.join(map(str, sorted(sizes)))} bit (packet.payload_bits)"
            )
        self._walk(int(machine.port_node[route.port]))
        if len(self.order) < len(route.stages):
            lost = next(i for i in range(len(route.stages)) if i not in self.node_of)
            raise RouteError(
                f"{machine.name}: stage {lost} of a route is never reached; leave it out"
            )
        for stage in self.order:
            self._branching(stage)
        self._routing()

    def _walk(self, start: int) -> None:
        stack = [(0, start)]
        while stack:
            stage, node = stack.pop()
            self.node_of[stage] = node
            self.order.append(stage)
            branches = self.route.stages[stage] if stage < len(self.route.stages) else ()
            if not branches:
                where = self.machine.node_labels[node]
                raise RouteError(
                    f"{self.machine.name}: stage {stage} at {where} has no branches, so a copy "
                    "would end there; a leaf is a channel into a sink"
                )
            for branch in reversed(branches):
                following = self._follow(stage, node, branch)
                if following is not None:
                    stack.append(following)

    def _follow(self, stage: int, node: int, branch: Branch) -> tuple[int, int] | None:
        known, channel = self.known, branch.channel
        if not 0 <= channel < self.machine.channels or known.source[channel] != node:
            raise self._error(stage, branch, "the channel does not leave this node (disconnected)")
        far = known.far[channel]
        if (far < 0) != (branch.next == SINK):
            where = "in a sink" if far < 0 else f"at {self.machine.node_labels[far]}"
            wanted = "SINK" if far < 0 else "a further stage"
            raise self._error(stage, branch, f"the channel ends {where}, so next must be {wanted}")
        if far < 0:
            sink = known.port[channel]
            if sink in self.sinks:
                raise self._error(stage, branch, "this sink is reached twice")
            self.sinks.add(sink)
            return None
        if not 0 <= branch.next < len(self.route.stages):
            raise self._error(stage, branch, f"there is no stage {branch.next}")
        if branch.next in self.promised:
            raise self._error(stage, branch, f"stage {branch.next} is reached twice (loop)")
        self.promised.add(branch.next)
        return branch.next, far

    def _branching(self, stage: int) -> None:
        machine, node = self.machine, self.node_of[stage]
        branches = self.route.stages[stage]
        kind = Branching(int(machine.node_branching[node]))
        if len(branches) == 1 or kind == Branching.ANY:
            return
        if kind == Branching.NONE:
            raise self._error(stage, branches[1], "this node cannot split a packet")
        for branch in branches:
            if branch.next != SINK or not self._local(node, branch.channel):
                raise self._error(
                    stage, branch, "this node splits a packet among the PEs of its own tile only"
                )

    def _local(self, node: int, channel: int) -> bool:
        machine = self.machine
        end = self.known.sink_of[self.known.port[channel]]
        return (
            int(machine.endpoint_kind[end]) == EndpointKind.PE
            and machine.endpoint_x[end] == machine.node_x[node]
            and machine.endpoint_y[end] == machine.node_y[node]
            and machine.endpoint_chip[end] == machine.node_chip[node]
        )

    def _routing(self) -> None:
        """Check outputs at nodes that route by tile, from the leaves up.

        A leg's destination is the tile of the router it ends at, or of the packet router it enters.
        """
        ends: dict[int, set[Tile]] = {}
        for stage in reversed(self.order):
            node = self.node_of[stage]
            here = (self.known.x[node], self.known.y[node])
            mine: set[Tile] = set()
            for branch in self.route.stages[stage]:
                if branch.next == SINK:
                    below = {here}
                elif self.known.is_router(self.node_of[branch.next]):
                    below = ends.pop(branch.next)
                else:
                    far = self.node_of[branch.next]
                    below = {(self.known.x[far], self.known.y[far])}
                if self.machine.node_routing[node] in (Routing.XY, Routing.LUT):
                    self._agrees(stage, branch, below)
                mine |= below
            ends[stage] = mine

    def _agrees(self, stage: int, branch: Branch, below: set[Tile]) -> None:
        if branch.next == SINK:
            return
        node = self.node_of[stage]
        rule = Routing(int(self.machine.node_routing[node])).name
        for x, y in sorted(below):
            expected = self.known.towards(node, x, y)
            if expected != branch.channel:
                wanted = self.machine.channel_label(expected) if expected >= 0 else "no way"
                raise self._error(
                    stage, branch, f"towards tile ({x}, {y}) its {rule} routing gives {wanted}"
                )

    def _error(self, stage: int, branch: Branch, rule: str) -> RouteError:
        machine, channel = self.machine, branch.channel
        inside = 0 <= channel < machine.channels
        name = machine.channel_label(channel) if inside else f"channel {channel}"
        node = machine.node_labels[self.node_of[stage]]
        return RouteError(f"{machine.name}: stage {stage} at {node}, {name}: {rule}")
