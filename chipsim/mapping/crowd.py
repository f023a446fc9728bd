"""Several PEs on each tile of a synthetic machine, for mapping studies.

Synthetic machines have one endpoint a tile. Mapping baselines in the literature have 4 to 16 cores
at a router; :func:`with_pes_per_tile` gives each router that many endpoints, each with a source
port and a sink of its own. Links, distances and routing stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine, PortKind

MOST_PES = 1024


def with_pes_per_tile(machine: Machine, count: int) -> Machine:
    """Return the machine with ``count`` PEs on every tile.

    Parameters
    ----------
    machine : Machine
        A mesh or torus with one PE a tile, or a machine that has ``count`` a tile already; or a
        board or torus of chips, on which PEs are counted by chip.
    count : int
        At least 1.

    Returns
    -------
    Machine
        The first PE of each tile and its ports and channels keep their numbers, as do all links;
        the second PEs come after the first ones, and so on.

    Raises
    ------
    MappingError
        If the machine's number of PEs a tile is its own and another one, or ``count`` is not in
        1 to 1024.
    """
    if not 1 <= count <= MOST_PES:
        raise MappingError("PEs per chip", [f"got {count}; expected an integer of 1 to {MOST_PES}"])
    if machine.chips is not None and len(machine.chips) > 1:
        return _of_board(machine, count)
    pes = machine.endpoint_kind == EndpointKind.PE
    has = int(machine.endpoint_index[pes].max(initial=0)) + 1
    if has == count:
        return machine
    if has != 1 or not pes.all() or "torus" not in machine.extras:
        raise MappingError(
            "PEs per chip",
            [
                f"{machine.name} has {has} PEs on each tile, got {count}; only synthetic machines "
                f"(mesh, torus) take another number: leave it out or say {has}"
            ],
        )
    return _crowded(machine, count)


def _crowded(machine: Machine, count: int) -> Machine:
    tiles, extra = machine.endpoints, count - 1
    # Endpoint e + k * tiles is PE k of the tile of endpoint e: the first PEs keep their numbers.
    ejecting = np.flatnonzero(machine.port_kind[machine.channel_port] == PortKind.SINK)
    into = np.zeros(machine.ports, dtype=np.int64)
    into[machine.channel_port[ejecting]] = ejecting
    first, sinks = np.tile(machine.endpoint_port, extra), np.tile(machine.endpoint_sink, extra)
    channels = np.tile(into[machine.endpoint_sink], extra)
    new_source = machine.ports + np.arange(tiles * extra, dtype=np.int32)
    new_sink = new_source + np.int32(tiles * extra)

    def ports(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate((values, values[first], values[sinks]))

    def per_channel(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate((values, values[channels]))

    def ends(own: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.concatenate((own, new)).astype(np.int32)

    return replace(
        machine,
        name=f"{machine.name} with {count} PEs a tile",
        port_node=ports(machine.port_node),
        port_capacity=ports(machine.port_capacity),
        port_kind=ports(machine.port_kind),
        port_full=ports(machine.port_full),
        channel_node=per_channel(machine.channel_node),
        channel_port=ends(machine.channel_port, new_sink),
        channel_latency_ps=per_channel(machine.channel_latency_ps),
        channel_credit_ps=per_channel(machine.channel_credit_ps),
        channel_flit_ps=per_channel(machine.channel_flit_ps),
        channel_class=per_channel(machine.channel_class),
        channel_direction=None
        if machine.channel_direction is None
        else per_channel(machine.channel_direction),
        endpoint_kind=np.tile(machine.endpoint_kind, count),
        endpoint_chip=np.tile(machine.endpoint_chip, count),
        endpoint_x=np.tile(machine.endpoint_x, count),
        endpoint_y=np.tile(machine.endpoint_y, count),
        endpoint_index=np.repeat(np.arange(count, dtype=np.int32), tiles),
        endpoint_port=ends(machine.endpoint_port, new_source),
        endpoint_dma_port=np.tile(machine.endpoint_dma_port, count),
        endpoint_sink=ends(machine.endpoint_sink, new_sink),
    )


def _of_board(machine: Machine, count: int) -> Machine:
    """Return a board or torus of chips on which applications get ``count`` PEs of each chip."""
    most = int(np.bincount(machine.endpoint_chip[machine.pes()]).max(initial=0))
    if count > most:
        raise MappingError(
            "PEs per chip",
            [f"{machine.name} has {most} PEs for applications on a chip, got {count}; give less"],
        )
    return machine if count == most else _fewer(machine, count)


def _fewer(machine: Machine, count: int) -> Machine:
    """Return a machine of chips on which applications get the first ``count`` PEs of each chip."""
    pes = machine.pes()
    chip = machine.endpoint_chip[pes]
    order = np.argsort(chip, kind="stable")
    begin = np.searchsorted(chip[order], chip[order])
    rank = np.arange(len(pes)) - begin
    reserved = np.zeros(machine.endpoints, dtype=bool)
    if machine.endpoint_reserved is not None:
        reserved |= machine.endpoint_reserved
    reserved[pes[order][rank >= count]] = True
    name = f"{machine.name} with {count} PEs a chip"
    return replace(machine, name=name, endpoint_reserved=reserved)
