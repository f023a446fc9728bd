"""One chip's NoC in numbers, for searches over look-up tables: routers, channels, destinations."""

from __future__ import annotations

from collections.abc import Iterator

from chipsim.machine.floor import Floor, Tile


class Mesh:
    """Routers and channels of a floor plan.

    Attributes
    ----------
    floor : Floor
    tiles : tuple of tile
        Where each router is.
    at : dict of tile to int
        The router on a tile.
    hub : int
        The packet router as a destination: one more than the last router.
    channels : int
        Mesh channels, then those into the packet router, its look-up, and those out of it.
    head, far : list of int
        Where a channel comes from and leads to; the look-up and what is out of it come from the
        hub, the look-up and what goes in lead to it.
    out, into : list of list of int
        Channels of the mesh that leave and enter each router, in the order E, W, N, S.
    enter : dict of int to int
        The channel into the packet router at each port's router.
    lookup : int
    leave : list of int
        The channels out of the packet router, in the order of its ports.
    ends : list of int
        Routers with PEs: the destinations beside the hub.
    """

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.tiles = floor.routers
        self.at: dict[Tile, int] = {tile: i for i, tile in enumerate(self.tiles)}
        self.hub = len(self.tiles)
        self.head: list[int] = []
        self.far: list[int] = []
        self.out: list[list[int]] = [[] for _ in self.tiles]
        self.into: list[list[int]] = [[] for _ in self.tiles]
        for tile, router in self.at.items():
            for beside in floor.beside(tile, self.at):
                channel = self._channel(router, self.at[beside])
                self.out[router].append(channel)
                self.into[self.at[beside]].append(channel)
        ports = [self.at[port] for port in floor.ports]
        self.enter = {port: self._channel(port, self.hub) for port in ports}
        self.lookup = self._channel(self.hub, self.hub)
        self.leave = [self._channel(self.hub, port) for port in ports]
        self.ends = [self.at[tile] for tile in floor.qpes]

    def _channel(self, head: int, far: int) -> int:
        self.head.append(head)
        self.far.append(far)
        return len(self.far) - 1

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.far)

    def options(self, router: int, dest: int) -> Iterator[int]:
        """Yield the channels by which a packet to ``dest`` may leave ``router``."""
        if dest != self.hub:
            yield from self.out[router]
            return
        if router in self.enter:
            yield self.enter[router]
        # Packets to the packet router stay among the QPEs: its own tiles are no way to it.
        qpes = set(self.ends)
        yield from (channel for channel in self.out[router] if self.far[channel] in qpes)

    def members(self, dest: int) -> list[int]:
        """Return the routers that need a way to ``dest``."""
        every = self.ends if dest == self.hub else range(len(self.tiles))
        return [router for router in every if router != dest]
