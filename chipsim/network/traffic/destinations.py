"""Where packets go: the spatial patterns of the literature, as small classes and a registry.

A **flow** is what shares one route: a source with a destination, or with one of its multicast sets.
A pattern draws the flow of each packet; the driver makes each flow's route once.

References
----------
W. J. Dally, B. Towles, "Principles and Practices of Interconnection Networks", 2004, section 3.2
(table 3.1 defines the permutations, over the bits or the digits of a node's number).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import NetworkError, did_you_mean
from chipsim.network.traffic.nodes import Nodes
from chipsim.network.traffic.spec import Parameter, Spec, Value, bind, parse

I64 = NDArray[np.int64]


class Destinations:
    """Draws where packets go; by default any node to any node.

    Parameters
    ----------
    nodes : Nodes
        Who sends and receives. Flow ``source * len(nodes) + dest`` leads from one to the other.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes

    @property
    def flows(self) -> int:
        """Number of possible flows."""
        return len(self.nodes) ** 2

    @property
    def copies(self) -> int:
        """Copies that a packet ends in."""
        return 1

    def draw(self, source: I64, rng: np.random.Generator) -> I64:
        """Return the flow of a packet from each of ``source`` (positions among the nodes).

        A flow of -1 is a node that does not send: its packet is not created.
        """
        return source * len(self.nodes) + self.to(source, rng)

    def to(self, source: I64, rng: np.random.Generator) -> I64:
        """Return a destination for each source."""
        raise NotImplementedError

    def used(self, most: int) -> I64 | None:
        """Return the flows that can occur, in ascending order; None if more than ``most``."""
        return np.arange(self.flows) if self.flows <= most else None

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        """Return the endpoints of a flow: source, destinations."""
        source, dest = divmod(flow, len(self.nodes))
        ends = self.nodes.endpoints
        return int(ends[source]), (int(ends[dest]),)


class Uniform(Destinations):
    """Every node alike, the source itself included."""

    def to(self, source: I64, rng: np.random.Generator) -> I64:
        """Return a destination for each source."""
        return rng.integers(len(self.nodes), size=len(source))


class Fixed(Destinations):
    """Every source has one destination.

    Parameters
    ----------
    nodes : Nodes
    table : ndarray of int64, shape (nodes,)
        The destination of each node; -1 where a node does not send.
    """

    def __init__(self, nodes: Nodes, table: I64) -> None:
        super().__init__(nodes)
        self.table = np.asarray(table, dtype=np.int64)

    def draw(self, source: I64, rng: np.random.Generator) -> I64:
        """Return each source's flow, -1 where it does not send."""
        dest = self.table[source]
        return np.where(dest < 0, -1, source * len(self.nodes) + dest)

    def used(self, most: int) -> I64 | None:
        """Return one flow a sending node."""
        source = np.flatnonzero(self.table >= 0)
        flow = source * len(self.nodes) + self.table[source]
        return flow if len(flow) <= most else None


class Hotspot(Destinations):
    """One node gets a share of all packets, the rest is uniform."""

    def __init__(self, nodes: Nodes, node: int, share: float) -> None:
        super().__init__(nodes)
        self.node = node
        self.share = share

    def to(self, source: I64, rng: np.random.Generator) -> I64:
        """Return a destination for each source."""
        hot = rng.random(len(source)) < self.share
        return np.where(hot, self.node, rng.integers(len(self.nodes), size=len(source)))


class Multicast(Destinations):
    """A packet goes to one of its source's sets of nodes, drawn once per run.

    Parameters
    ----------
    nodes : Nodes
    members : ndarray of int64, shape (nodes, sets, k)
        Nodes of each set, all different within a set.
    """

    def __init__(self, nodes: Nodes, members: I64) -> None:
        super().__init__(nodes)
        self.members = members

    @property
    def flows(self) -> int:
        """Number of sets of all nodes."""
        return int(self.members.shape[0] * self.members.shape[1])

    @property
    def copies(self) -> int:
        """Members of a set."""
        return int(self.members.shape[2])

    def draw(self, source: I64, rng: np.random.Generator) -> I64:
        """Return one of each source's sets."""
        sets = int(self.members.shape[1])
        flow: I64 = source * sets + rng.integers(sets, size=len(source))
        return flow

    def ends(self, flow: int) -> tuple[int, tuple[int, ...]]:
        """Return the endpoints of a flow: source, destinations."""
        source, which = divmod(flow, self.members.shape[1])
        ends = self.nodes.endpoints
        return int(ends[source]), tuple(ends[self.members[source, which]].tolist())


# The registry -----------------------------------------------------------------------------------

Make = Callable[[Nodes, np.random.Generator, Mapping[str, Value]], Destinations]


@dataclass(frozen=True)
class Pattern:
    """An entry of :data:`SPATIAL`.

    Attributes
    ----------
    about : str
        One line for people.
    make : callable
        ``make(nodes, rng, arguments) -> Destinations``; ``rng`` is for what is drawn once a run.
    parameters : tuple of Parameter
    """

    about: str
    make: Make
    parameters: tuple[Parameter, ...] = ()


def destinations(text: str | Spec, nodes: Nodes, rng: np.random.Generator) -> Destinations:
    """Return the spatial pattern that ``text`` names.

    Parameters
    ----------
    text : str or Spec
        For example ``"hotspot(node=27)"``.
    nodes : Nodes
    rng : numpy.random.Generator
        For what is drawn once per run (sets, permutations).

    Raises
    ------
    NetworkError
        For an unknown pattern, a wrong argument, or a machine that the pattern is not defined on.
    """
    spec = parse(text) if isinstance(text, str) else text
    found = SPATIAL.get(spec.name)
    if found is None:
        raise NetworkError(f"unknown pattern {spec.name!r}{did_you_mean(spec.name, SPATIAL)}")
    return found.make(nodes, rng, bind(spec, found.parameters))


def uniform(nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]) -> Destinations:
    """Return uniform random traffic, the source itself included."""
    return Uniform(nodes)


def permutation(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return a random permutation, drawn once per run."""
    return Fixed(nodes, rng.permutation(len(nodes)))


def transpose(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return (x, y) -> (y, x)."""
    side = nodes.square("transpose")
    y, x = np.divmod(np.arange(len(nodes)), side)
    return Fixed(nodes, x * side + y)


def bit_complement(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return the node whose number has every bit inverted."""
    nodes.bits("bit-complement")
    return Fixed(nodes, len(nodes) - 1 - np.arange(len(nodes)))


def bit_reverse(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return the node whose number has the bits in reverse order."""
    bits = nodes.bits("bit-reverse")
    number = np.arange(len(nodes))
    table = np.zeros_like(number)
    for bit in range(bits):
        table |= ((number >> bit) & 1) << (bits - 1 - bit)
    return Fixed(nodes, table)


def shuffle(nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]) -> Destinations:
    """Return the node whose number has the bits rotated left by one."""
    bits = nodes.bits("shuffle")
    number = np.arange(len(nodes))
    high = number >> max(0, bits - 1)
    return Fixed(nodes, ((number << 1) & (len(nodes) - 1)) | high)


def tornado(nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]) -> Destinations:
    """Return the node almost half way round each dimension: by ceil(k / 2) - 1 of k."""
    width, height = nodes.grid("tornado")
    y, x = np.divmod(np.arange(len(nodes)), width)
    to_x = (x + (width + 1) // 2 - 1) % width
    to_y = (y + (height + 1) // 2 - 1) % height
    return Fixed(nodes, to_y * width + to_x)


def neighbour(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return the next node of each dimension, the first after the last."""
    width, height = nodes.grid("neighbour")
    y, x = np.divmod(np.arange(len(nodes)), width)
    return Fixed(nodes, (y + 1) % height * width + (x + 1) % width)


def hotspot(nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]) -> Destinations:
    """Return uniform traffic of which a share goes to one node (default: the middle).

    Raises
    ------
    NetworkError
        If there is no such node.
    """
    node = int(arguments["node"])
    if node < 0:
        machine = nodes.machine
        width, height = machine.grid_width, machine.grid_height
        full = len(nodes) == width * height
        node = height // 2 * width + width // 2 if full else len(nodes) // 2
    if node >= len(nodes):
        raise NetworkError(
            f"pattern hotspot: node {node} is not on {nodes.machine.name}; expected "
            f"0..{len(nodes) - 1}"
        )
    return Hotspot(nodes, node, float(arguments["share"]))


def multicast(
    nodes: Nodes, rng: np.random.Generator, arguments: Mapping[str, Value]
) -> Destinations:
    """Return packets to ``k`` nodes each, ``sets`` different sets a source, drawn once per run.

    Raises
    ------
    NetworkError
        If ``k`` is more than there are nodes.
    """
    k, sets = int(arguments["k"]), int(arguments["sets"])
    if k > len(nodes):
        raise NetworkError(
            f"pattern multicast: k = {k}, but {nodes.machine.name} has {len(nodes)} nodes; "
            f"expected at most that"
        )
    drawn = [
        np.sort(rng.choice(len(nodes), size=k, replace=False)) for _ in range(len(nodes) * sets)
    ]
    members = np.array(drawn, dtype=np.int64).reshape(len(nodes), sets, k)
    return Multicast(nodes, members)


SPATIAL: dict[str, Pattern] = {
    "uniform": Pattern("every node alike, the source itself included", uniform),
    "permutation": Pattern("a random permutation, drawn once per run", permutation),
    "transpose": Pattern("(x, y) to (y, x); a square mesh", transpose),
    "bit-complement": Pattern("all bits of the node's number inverted; 2^n nodes", bit_complement),
    "bit-reverse": Pattern("its bits in reverse order; 2^n nodes", bit_reverse),
    "shuffle": Pattern("its bits rotated left by one; 2^n nodes", shuffle),
    "tornado": Pattern("ceil(k/2) - 1 further in each dimension; a full grid", tornado),
    "neighbour": Pattern("one further in each dimension; a full grid", neighbour),
    "hotspot": Pattern(
        "a share of the packets to one node, the rest uniform",
        hotspot,
        (
            Parameter("node", int, -1, "number of the hot node; default: the grid's middle"),
            Parameter("share", float, 0.1, "share of the packets that go there", high=1),
        ),
    ),
    "multicast": Pattern(
        "each packet to k nodes",
        multicast,
        (
            Parameter("k", int, 4, "copies of a packet", low=1),
            Parameter("sets", int, 8, "different sets a source", low=1),
        ),
    ),
}
"""Spatial patterns by name; with Bernoulli arrivals each is a pattern of its own."""
