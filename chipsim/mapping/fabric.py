"""The routers of a machine as mapping algorithms see them: sites, links between them, distances.

A *site* is a router that delivers to endpoints; on boards of chips it is a chip, whose packet
router branches. Algorithms work on sites; endpoints come in only where a vertex takes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.chips import Chips
from chipsim.machine.model import Machine, PortKind
from chipsim.mapping.tree_kernels import FAR, Grid, all_distances

MOST_SITES = 16_384
"""Sites of the largest machine with a distance matrix (2 bytes a pair: 512 MiB)."""


@dataclass(frozen=True)
class Fabric:
    """Sites and the links between them.

    Attributes
    ----------
    machine : Machine
    node : ndarray of int32, shape (sites,)
        The node of each site, ascending.
    site_of : ndarray of int32, shape (endpoints,)
        The site that delivers to each endpoint.
    x, y, chip : ndarray of int32, shape (sites,)
    far, channel : ndarray of int32, shape (sites, most links of a site)
        Far site and channel of each link, ascending by channel; -1 fills up.
    axis : ndarray of int8, shape as ``far``
        0 for a link along a row, 1 along a column, 2 along a diagonal.
    shape : ndarray of int32, shape (3,)
        Length of closed rows and of closed columns (0: open), 1 for six neighbours.
    step : ndarray of int16, shape (sites, sites) or (0, 0)
        Slot of the next link towards a site, where routers find their outputs by themselves.
    hub : int
        Site of the packet router, -1 where there is none.
    """

    machine: Machine
    node: NDArray[np.int32]
    site_of: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    chip: NDArray[np.int32]
    far: NDArray[np.int32]
    channel: NDArray[np.int32]
    axis: NDArray[np.int8]
    shape: NDArray[np.int32]
    step: NDArray[np.int16]
    hub: int

    @cached_property
    def links(self) -> int:
        """Number of links."""
        return int((self.channel >= 0).sum())

    @cached_property
    def first_link(self) -> int:
        """The lowest channel that is a link."""
        return int(self.channel[self.channel >= 0].min())

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.node)

    @cached_property
    def distance(self) -> NDArray[np.int16]:
        """Links on a shortest way from site to site, int16 of shape (sites, sites).

        Pairs without a way have :data:`chipsim.mapping.tree_kernels.FAR`.

        Raises
        ------
        MappingError
            If there are more than :data:`MOST_SITES` sites.
        """
        if self.sites > MOST_SITES:
            raise MappingError(
                f"distances on {self.machine.name}",
                [
                    f"{self.sites} routers; the matrix of distances takes at most {MOST_SITES}: "
                    "use a placer without one (sequential, hilbert, breadth_first, rcm) and the "
                    "default router, or a smaller machine"
                ],
            )
        return np.asarray(all_distances(self.far))

    @cached_property
    def grid(self) -> Grid:
        """The fabric as compiled tree builders take it."""
        return Grid(self.x, self.y, self.far, self.axis, self.distance, self.shape)


def fabric(machine: Machine) -> Fabric:
    """Return the fabric of a machine, built once per machine.

    Notes
    -----
    O(channels log channels); distances, when they are asked for, O(sites × links).
    """
    cached: Fabric | None = machine.__dict__.get("_fabric")
    if cached is None:
        cached = _build(machine)
        object.__setattr__(machine, "_fabric", cached)
    return cached


def _of_chips(machine: Machine, chips: Chips) -> Fabric:
    """Return the chips of a board as sites: trees branch at packet routers, links join those."""
    alive = np.flatnonzero(chips.alive)
    site = np.full(len(chips) + 1, -1, dtype=np.int32)  # the last one answers for "no chip"
    site[alive] = np.arange(len(alive))
    far = np.where(chips.link[alive] >= 0, site[chips.neighbour[alive]], -1).astype(np.int32)
    channel = np.where(far >= 0, chips.link[alive], -1).astype(np.int32)
    axis = np.tile(np.array([0, 2, 1, 0, 2, 1], dtype=np.int8), (len(alive), 1))
    layout = chips.layout
    wraps = [size if layout.wrap else 0 for size in (layout.width, layout.height)]
    return Fabric(
        machine=machine,
        node=chips.pool[alive].astype(np.int32),
        site_of=site[machine.endpoint_chip].astype(np.int32),
        x=layout.x[alive].astype(np.int32),
        y=layout.y[alive].astype(np.int32),
        chip=alive.astype(np.int32),
        far=np.ascontiguousarray(far),
        channel=channel,
        axis=axis,
        shape=np.array([*wraps, 1], dtype=np.int32),
        step=np.zeros((0, 0), dtype=np.int16),
        hub=-1,
    )


def _build(machine: Machine) -> Fabric:
    if machine.chips is not None and len(machine.chips) > 1:
        return _of_chips(machine, machine.chips)
    far_port = machine.channel_port
    eject = machine.port_kind[far_port] == PortKind.SINK
    node = np.unique(machine.channel_node[eject]).astype(np.int32)
    site = np.full(machine.nodes, -1, dtype=np.int32)
    site[node] = np.arange(len(node))
    # The lowest channel into an endpoint is the one that routes take; so assign downwards.
    site_of_port = np.full(machine.ports, -1, dtype=np.int32)
    ejecting = np.flatnonzero(eject)[::-1]
    site_of_port[far_port[ejecting]] = site[machine.channel_node[ejecting]]
    x, y, chip = (a[node] for a in (machine.node_x, machine.node_y, machine.node_chip))
    far_node = machine.port_node[far_port]
    onward = ~eject & (site[machine.channel_node] >= 0)
    onward[onward] &= site[far_node[onward]] >= 0
    links = np.flatnonzero(onward)
    source, target = site[machine.channel_node[links]], site[far_node[links]]
    order = np.argsort(source, kind="stable")
    degree = np.bincount(source, minlength=len(node))
    shape = (len(node), max(1, int(degree.max(initial=0))))
    slot = np.arange(len(links)) - np.repeat(np.cumsum(degree) - degree, degree)
    far = np.full(shape, -1, dtype=np.int32)
    channel = np.full(shape, -1, dtype=np.int32)
    axis = np.zeros(shape, dtype=np.int8)
    where = (source[order], slot)
    far[where], channel[where] = target[order], links[order]
    level, upright = (a[source[order]] == a[target[order]] for a in (y, x))
    axis[where] = np.where(level, 0, np.where(upright, 1, 2))
    torus = bool(machine.extras.get("torus", 0))
    wraps = [
        size if torus and size > 2 else 0 for size in (machine.grid_width, machine.grid_height)
    ]
    return Fabric(
        machine=machine,
        node=node,
        site_of=site_of_port[machine.endpoint_sink],
        x=np.ascontiguousarray(x),
        y=np.ascontiguousarray(y),
        chip=np.ascontiguousarray(chip),
        far=far,
        channel=channel,
        axis=axis,
        shape=np.array([*wraps, int((axis == 2).any())], dtype=np.int32),
        step=np.zeros((0, 0), dtype=np.int16),
        hub=-1,
    )


def unreachable(distance: NDArray[np.int16]) -> bool:
    """Return whether some site has no way to another."""
    return bool((distance == FAR).any())
