"""Adds to a finished machine what its description says of errors, detours, monitors and dumps."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chipsim.machine.behaviour import Behaviour, Reinjection
from chipsim.machine.chips import Chips
from chipsim.machine.description import Description
from chipsim.machine.model import ChannelClass, Machine
from chipsim.machine.parts import UNBOUNDED, FullPolicy, PortKind
from chipsim.machine.schema import UNBOUNDED_TEXT
from chipsim.machine.spinnaker2 import per_cycle
from chipsim.units import cycles, ns

I32 = NDArray[np.int32]
_T = TypeVar("_T", bound=np.generic)


def equip(machine: Machine) -> Machine:
    """Return the machine with its :class:`Behaviour`: link errors, emergency routing, reinjection.

    Parts are left out where the figures switch them off (``links.*.error_rate`` 0,
    ``router.emergency`` and ``router.reinjection`` false).
    """
    chips, figures = machine.chips, machine.description
    if chips is None:
        return machine
    error = _errors(machine)
    detour = wait2 = None
    _forget_absent(machine)
    linked = len(chips) > 1 and "router.wait2_cycles" in figures
    if (
        linked
        and figures.peek("router.blocked_policy") == "drop"
        and figures.flag("router.emergency")
    ):
        detour = _detours(machine, chips)
        clock = figures.number("router.clock_mhz")
        wait2 = np.zeros(machine.nodes, dtype=np.int64)
        wait2[chips.pool] = cycles(figures.integer("router.wait2_cycles"), clock)
    monitors = None
    if "router.reinjection" in figures and figures.flag("router.reinjection"):
        machine, monitors = _monitors(machine, chips, figures)
    issue = None
    if machine.lut is None:  # SpiNNaker1: outputs have registers, a FIFO passes one packet a cycle
        issue = np.zeros(machine.nodes, dtype=np.int64)
        rate = figures.number("router.mc_packets_per_cycle")
        issue[chips.pool] = per_cycle(figures.number("router.clock_mhz"), rate)
    if error is None and wait2 is None and monitors is None and issue is None:
        return machine
    behaviour = Behaviour(error, detour, wait2, monitors, node_issue_ps=issue)
    behaviour.check(machine.name, machine.nodes, machine.channels)
    return replace(machine, behaviour=behaviour)


def _forget_absent(machine: Machine) -> None:
    """Take the figures of parts that the machine does not have for not read.

    No result rests on those of links that no two chips have between them, on the way of credits for
    FIFOs that have no limit, or, as long as no memory is used, on the System NoC's.
    """
    figures = machine.description
    present = {machine.classes[number].name for number in set(machine.channel_class.tolist())}
    for kind in ("short", "long"):
        if f"link_{kind}" not in present:
            figures.forget(f"links.{kind}.")
        elif figures.peek(f"links.{kind}.fifo_packets") == UNBOUNDED_TEXT:
            figures.forget(f"links.{kind}.credit_ns")
    if "sdram" in present:
        figures.forget("dma.")


def _errors(machine: Machine) -> NDArray[np.float64] | None:
    """Return the chance of a frame error by channel, None where no link errs."""
    figures = machine.description
    found = np.zeros(machine.channels)
    for number, cls in enumerate(machine.classes):
        name = f"links.{cls.name.removeprefix('link_')}.error_rate"
        if cls.name.startswith("link_") and name in figures:
            found[machine.channel_class == number] = figures.number(name)
    return found if found.any() else None


def _detours(machine: Machine, chips: Chips) -> I32:
    """Return the way round each link: the next lower link, the chip there, its next higher link.

    E = S + NE, NE = E + N and so on: the two other sides of a triangle (DS1).
    """
    found = np.full((machine.channels, 3), -1, dtype=np.int32)
    lookup = np.full(machine.nodes, -1, dtype=np.int32)
    out = np.flatnonzero(np.isin(machine.channel_node, chips.entry))
    lookup[machine.channel_node[out][::-1]] = out[::-1]  # the first: that of multicast packets
    for direction in range(6):
        lower, higher = (direction - 1) % 6, (direction + 1) % 6
        blocked, first, between = (
            chips.link[:, direction],
            chips.link[:, lower],
            chips.neighbour[:, lower],
        )
        last = np.where(between >= 0, chips.link[between, higher], -1)
        whole = (blocked >= 0) & (first >= 0) & (last >= 0)
        middle = lookup[chips.entry[between[whole]]]
        found[blocked[whole]] = np.stack((first[whole], middle, last[whole]), axis=1)
    return found


def _monitors(machine: Machine, chips: Chips, figures: Description) -> tuple[Machine, Reinjection]:
    """Add a port at every live router through which its monitor core sends again."""
    pools = chips.pool[chips.alive]
    port = np.full(machine.nodes, -1, dtype=np.int32)
    port[pools] = machine.ports + np.arange(len(pools), dtype=np.int32)
    grown = _more_ports(machine, pools, PortKind.LINK)
    return grown, Reinjection(
        port=port,
        read_ps=ns(figures.number("router.reinject_read_ns")),
        interval_ps=ns(figures.number("router.reinject_interval_ns")),
        queue_packets=figures.integer("router.reinject_queue_packets"),
    )


def with_dumps(machine: Machine) -> Machine:
    """Return the machine with a dump at each packet router: a sink port that belongs to nobody.

    Packets that a routing table sends nowhere end there. Channels of class ``dump`` come last, one
    per live chip; other numbers stay. A machine that has dumps, or no packet routers, is returned
    as it is.
    """
    chips, known = machine.chips, machine.behaviour or Behaviour()
    if chips is None or known.dump_ports is not None:
        return machine
    pools = chips.pool[chips.alive]
    lookup = next(i for i, cls in enumerate(machine.classes) if cls.name == "lookup")
    passing = int(np.flatnonzero(machine.channel_class == lookup)[0])
    ports = machine.ports + np.arange(len(pools), dtype=np.int32)
    grown = _more_ports(machine, np.full(len(pools), -1, dtype=np.int32), PortKind.SINK)
    flits = dict.fromkeys(machine.classes[0].flits, 1)
    number = len(machine.classes)

    def times(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate((values, np.full(len(pools), machine.channel_flit_ps[passing])))

    def bytes8(values: NDArray[np.int8] | None, value: int) -> NDArray[np.int8]:
        old = np.full(machine.channels, -1, dtype=np.int8) if values is None else values
        return np.concatenate((old, np.full(len(pools), value, dtype=np.int8)))

    grown = replace(
        grown,
        classes=(*machine.classes, ChannelClass("dump", flits, 0.0, "router")),
        channel_node=np.concatenate((machine.channel_node, pools)),
        channel_port=np.concatenate((machine.channel_port, ports)),
        channel_latency_ps=times(machine.channel_latency_ps),
        channel_credit_ps=times(machine.channel_credit_ps),
        channel_flit_ps=times(machine.channel_flit_ps),
        channel_class=bytes8(machine.channel_class, number),
        channel_direction=bytes8(machine.channel_direction, -1),
        behaviour=replace(
            known,
            dump_ports=ports,
            channel_error=_padded(known.channel_error, len(pools), 0.0),
            channel_detour=_padded(known.channel_detour, len(pools), -1),
        ),
    )
    if machine.channel_dead is not None:
        dead = np.concatenate((machine.channel_dead, np.zeros(len(pools), dtype=np.bool_)))
        grown = replace(grown, channel_dead=dead)
    return grown


def _padded(rows: NDArray[_T] | None, count: int, value: float) -> NDArray[_T] | None:
    if rows is None:
        return None
    more = np.full((count, *rows.shape[1:]), value, dtype=rows.dtype)
    return np.concatenate((rows, more))


def _more_ports(machine: Machine, nodes: I32, kind: PortKind) -> Machine:
    """Return the machine with one more unbounded port per node (-1: a sink)."""
    count = len(nodes)
    full = FullPolicy.DROP if kind == PortKind.SINK else FullPolicy.STALL
    more = np.full(count, UNBOUNDED, dtype=np.int32)
    return replace(
        machine,
        port_node=np.concatenate((machine.port_node, nodes.astype(np.int32))),
        port_capacity=np.concatenate((machine.port_capacity, more)),
        port_kind=np.concatenate((machine.port_kind, np.full(count, kind, dtype=np.int8))),
        port_full=np.concatenate((machine.port_full, np.full(count, full, dtype=np.int8))),
    )
