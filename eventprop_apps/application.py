"""EventProp as an application: the programs of a sample, an optimiser, the nets between them.

One batch element is one replica: input, layers, loss, in this order, which the paper's placement
puts on the four PEs of one QPE. A layer may lie on several PEs; one that is split by inputs lies in
slices, which hold its weights, and on a PE with its neurons. The optimiser and the host serve all
replicas. `eventprop_apps.nets` says what the nets join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Net, Transport, Vertex
from eventprop_apps.exchange.options import ExchangeOptions
from eventprop_apps.interfaces import drams, host_place
from eventprop_apps.model import Model
from eventprop_apps.names import HOST, dram_name, input_name, loss_name, optimiser_name
from eventprop_apps.nets import Nets, state_nets
from eventprop_apps.partition import Block, blocks, neurons_block
from eventprop_apps.traffic import Traffic

PES_PER_QPE = 4
"""Optimisers without a group: the paper's placement keeps one QPE for them."""


def build_application(
    model: Model,
    replicas: int,
    machine: Machine,
    sram: Mapping[str, Mapping[str, int]],
    transport: Transport = "noc_direct",
    parts: Sequence[int] | None = None,
    traffic: Traffic | None = None,
    cycles: Mapping[str, float] | None = None,
    exchange: ExchangeOptions | None = None,
) -> Application:
    """Return the application of ``replicas`` samples in parallel.

    Parameters
    ----------
    model : Model
    replicas : int
        Samples in parallel, at least 1.
    machine : Machine
        Says where the host interface is.
    sram : mapping of role to regions
        Bytes by region of the roles ``input``, every block's name, ``loss``, ``optimiser``.
    transport : str
        Of spikes and errors. Weights always go by ``router_multicast``: they have many sinks.
    parts : sequence of int, optional
        Number of PEs of each layer; one each by default.
    traffic : Traffic, optional
        Expected spikes; what the nets say of packets per tick follows from it.
    cycles : mapping of role to float, optional
        Estimated work per tick.
    exchange : ExchangeOptions, optional
        Where gradients go and weights come from; one optimiser PE by default.
    """
    work = cycles or {}
    pieces = blocks(model, parts)
    options = exchange or ExchangeOptions()
    joined = Nets(model, pieces, replicas, traffic or Traffic.assumed(model), options)
    vertices: list[Vertex] = []
    nets: list[Net] = []
    for replica in range(replicas):
        roles = [
            (input_name(replica), "input"),
            *((f"r{replica}/{role}", role) for role in _layer_roles(model, pieces)),
            (loss_name(replica), "loss"),
        ]
        vertices += [
            Vertex(name, sram[role], work.get(role), group=replica) for name, role in roles
        ]
        nets += joined.of_replica(replica)
    vertices += _optimisers(options, replicas, sram)
    vertices.append(Vertex(HOST, fixed=host_place(machine)))
    nets += joined.shared()
    if options.state == "dram":
        places = drams(machine)
        vertices += [Vertex(dram_name(k), fixed=place) for k, place in enumerate(places)]
        nets += state_nets(options, len(places))
    return Application("eventprop", tuple(vertices), tuple(nets), transport)


def _layer_roles(model: Model, pieces: Sequence[Block]) -> list[str]:
    """Return the roles of a replica's layer PEs, the neurons of a layer before its slices."""
    roles: list[str] = []
    for block in pieces:
        if block.sliced and block.part == 0:
            roles.append(neurons_block(model, block.layer).name)
        roles.append(block.name)
    return roles


def _optimisers(
    options: ExchangeOptions, replicas: int, sram: Mapping[str, Mapping[str, int]]
) -> list[Vertex]:
    """Return the optimiser's vertices; those beyond a QPE's four PEs come in groups."""
    return [
        Vertex(
            optimiser_name(s),
            sram[optimiser_name(s)],
            group=None if s < PES_PER_QPE else replicas + s // PES_PER_QPE,
        )
        for s in range(options.optimisers)
    ]
