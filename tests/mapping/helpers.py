"""A tiny chip and replicas in the paper's form, for the tests of mapping."""

from collections.abc import Sequence
from functools import cache

from chipsim.machine.builder import MachineBuilder
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_shipped
from chipsim.machine.model import (
    ChannelClass,
    EndpointKind,
    Machine,
    NodeKind,
    PortKind,
)
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.crowd import with_pes_per_tile

HOLES = ((4, 3), (4, 4), (7, 3), (7, 4))


def quad_machine(tiles: Sequence[tuple[int, int]], pes: int = 4, name: str = "quads") -> Machine:
    """PEs on tiles, each with a node of its own and no way to the others; a host at (5, 7)."""
    builder = MachineBuilder(name, load_shipped("spinnaker2"), 8, 8)
    builder.channel_class(ChannelClass("eject", {0: 1}))
    places = [(x, y, pe, EndpointKind.PE) for x, y in tiles for pe in range(pes)]
    for x, y, pe, kind in [*places, (5, 7, 0, EndpointKind.HOST)]:
        node = builder.node(f"pe({x},{y},{pe})", kind=NodeKind.FIFO, x=x, y=y)
        sink = builder.port(-1, 0, PortKind.SINK)
        port = builder.port(node, 0, PortKind.SOURCE)
        builder.channel(node, sink, 0, 1, 1, 1)
        builder.endpoint(kind, port=port, sink=sink, x=x, y=y, index=pe)
    return builder.build()


def paper_chip() -> Machine:
    """SpiNNaker2's 38 QPEs, given in an order that placers must not depend on."""
    tiles = [(x, y) for x in range(7, 0, -1) for y in range(1, 7) if (x, y) not in HOLES]
    return quad_machine(tiles, name="spinnaker2")


def replicas(count: int, size: int = 4) -> Application:
    """Replicas in the paper's form: a chain of vertices each, and one optimiser for all."""
    vertices = [Vertex("optimiser")]
    nets = []
    for r in range(count):
        vertices += [Vertex(f"r{r}.{i}", group=r) for i in range(size)]
        nets += [Net(f"r{r}.{i}", f"r{r}.{i}", (f"r{r}.{i + 1}",)) for i in range(size - 1)]
    return Application(f"replicas-{count}", tuple(vertices), tuple(nets))


@cache
def machine(name: str) -> Machine:
    """A machine by name, built once per process; ``:xy`` routes x first."""
    if name == "holes":  # SpiNNaker2's 38 places as a mesh that branches anywhere, 4 PEs each
        holes = [[x - 1, y - 1] for x, y in HOLES]
        return with_pes_per_tile(load_machine("mesh-7x6", {"floor.holes": holes}), 4)
    base, _, routing = name.partition(":")
    return load_machine(base, {"noc.routing": routing} if routing else {})
