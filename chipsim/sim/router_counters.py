"""The packet routers' diagnostic counters: filters over what each router has seen.

SpiNNaker1 and SpiNNaker2 have 16 counters a router (DS1; CHIP26), each with a filter. The networks
count every kind of packet that a router sees (:class:`chipsim.network.rules.Visit`), so that any
filter can be applied after a run. A packet is counted once, when it enters the look-up; what a
monitor sends again does not pass the look-up a second time in this model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError, did_you_mean
from chipsim.machine.layout import DIRECTIONS
from chipsim.machine.model import Machine
from chipsim.machine.route import PACKETS
from chipsim.network.rules import Visit, class_name

I64 = NDArray[np.int64]

MOST = 16
"""Counters of a router."""

DESTINATIONS = (*DIRECTIONS, "local", "monitor", "dump")


@dataclass(frozen=True)
class RouterFilter:
    """What one counter counts; the default is everything.

    Attributes
    ----------
    packets : tuple of str
        Types (``mc``, ``c2c``, ``nn``, ``fr``); none given: all.
    source : {"any", "local", "link"}
        Whether the packet came from a core of the chip, or by a link.
    destinations : tuple of str
        Links (``E``, ``NE``, ``N``, ``W``, ``SW``, ``S``), ``local`` (cores for applications),
        ``monitor`` (reserved cores), ``dump`` (dropped by the table). A packet counts if one of its
        outputs is among them; none given: all.
    defaulted, payload, emergency : bool or None
        Whether it matched no entry and goes straight on; has a payload; is on the first leg of a
        detour. None: does not matter.

    Raises
    ------
    MachineError
        For unknown types or destinations.
    """

    packets: tuple[str, ...] = ()
    source: Literal["any", "local", "link"] = "any"
    destinations: tuple[str, ...] = ()
    defaulted: bool | None = None
    payload: bool | None = None
    emergency: bool | None = None

    def __post_init__(self) -> None:
        for what, given, known in (
            ("packet type", self.packets, PACKETS),
            ("source", (self.source,), ("any", "local", "link")),
            ("destination", self.destinations, DESTINATIONS),
        ):
            for name in given:
                if name not in known:
                    raise MachineError(
                        f"router filter: got {what} {name!r}, expected one of "
                        f"{', '.join(known)}{did_you_mean(name, known)}"
                    )

    def matches(self, seen: Visit, destinations: frozenset[str]) -> bool:
        """Return whether the filter counts a packet with these destinations."""
        came = "link" if seen.came_by >= 0 else "local"
        return (
            (not self.packets or seen.packet in self.packets)
            and self.source in ("any", came)
            and (not self.destinations or not destinations.isdisjoint(self.destinations))
            and self.defaulted in (None, seen.defaulted)
            and self.payload in (None, seen.payload_bits > 0)
            and self.emergency in (None, seen.emergency)
        )


def count(
    machine: Machine, visits: Mapping[Visit, int], filters: Sequence[RouterFilter]
) -> NDArray[np.int64]:
    """Return each router's counters.

    Parameters
    ----------
    machine : Machine
    visits : mapping of Visit to int
        As from :meth:`chipsim.network.api.Network.visits`.
    filters : sequence of RouterFilter
        At most 16: a router has no more.

    Returns
    -------
    ndarray of int64, shape (chips, filters)

    Raises
    ------
    MachineError
        For more than 16 filters, or a machine without packet routers.
    """
    if machine.chips is None:
        raise MachineError(f"{machine.name}: has no packet routers, so they count nothing")
    if len(filters) > MOST:
        raise MachineError(
            f"{machine.name}: got {len(filters)} filters, a router has {MOST} counters; program "
            "fewer, or count again with the others"
        )
    return tally(machine, visits, filters)


def tally(
    machine: Machine, visits: Mapping[Visit, int], filters: Iterable[RouterFilter]
) -> NDArray[np.int64]:
    """Return counts as :func:`count`, for any number of filters."""
    wanted = list(filters)
    chips = 0 if machine.chips is None else len(machine.chips)
    counts = np.zeros((chips, len(wanted)), dtype=np.int64)
    ends = _sink_owners(machine)
    for seen, packets in visits.items():
        destinations = frozenset(_destination(machine, ends, c) for c in seen.outputs)
        row = counts[machine.node_chip.item(seen.node)]
        row += [packets * each.matches(seen, destinations) for each in wanted]
    return counts


def _sink_owners(machine: Machine) -> dict[int, int]:
    """Return the reserved endpoints by sink port."""
    if machine.endpoint_reserved is None:
        return {}
    reserved = np.flatnonzero(machine.endpoint_reserved)
    return dict(zip(machine.endpoint_sink[reserved].tolist(), reserved.tolist(), strict=True))


def _destination(machine: Machine, reserved: Mapping[int, int], channel: int) -> str:
    name = class_name(machine, channel)
    if name == "dump":
        return "dump"
    if name.startswith("link"):
        direction = -1
        if machine.channel_direction is not None:
            direction = machine.channel_direction.item(channel)
        return DIRECTIONS[direction] if direction >= 0 else "link"
    return "monitor" if machine.channel_port.item(channel) in reserved else "local"
