"""EventProp as an application: the programs of a sample, an optimiser, the nets between them.

One batch element is one replica: input, layers, loss, in this order, which the paper's placement
puts on the four PEs of one QPE. A layer may lie on several PEs; each part sends its spikes to all
parts of the layer above (and of its own layer, if that is recurrent), and its errors to the part
that owns the spike's neuron. The optimiser and the host serve all replicas.

A layer that is split by inputs lies in slices, which hold its weights, and on a PE with its
neurons. Spikes go to those slices only that have weights from their neuron; slices send currents
to the neurons, which send the jumps of their adjoint to all slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Application, Net, Place, Transport, Vertex
from eventprop_apps.exchange.options import ExchangeOptions
from eventprop_apps.exchange.pieces import cut
from eventprop_apps.exchange.tree import edges
from eventprop_apps.keys import CurrentKey, ErrorKey, SpikeKey, bits_for
from eventprop_apps.model import Model
from eventprop_apps.partition import Block, blocks, neurons_block
from eventprop_apps.traffic import Traffic

OPTIMISER = "optimiser"
HOST = "host"
CLIP_NET = "clip"
"""From the last shard to the others: the sum of squares of the whole gradient."""
PES_PER_QPE = 4
"""Optimisers without a group: the paper's placement keeps one QPE for them."""
PAYLOAD_BITS = 128
PAYLOAD_WORDS = PAYLOAD_BITS // 32


def packets_of_words(words: int) -> int:
    """Return the packets of 128 bit that carry ``words`` words."""
    return -(-words // PAYLOAD_WORDS)


def input_name(replica: int) -> str:
    """Return the name of a replica's input vertex."""
    return f"r{replica}/input"


def layer_name(replica: int, layer: int, part: int = 0) -> str:
    """Return the name of the vertex that has a part of a replica's layer's neurons."""
    return f"r{replica}/layer{layer}{_part(part)}"


def block_name(replica: int, block: Block) -> str:
    """Return the name of the vertex that holds a block of a replica's weights."""
    return f"r{replica}/{block.name}"


def loss_name(replica: int) -> str:
    """Return the name of a replica's loss vertex."""
    return f"r{replica}/loss"


def spikes_from(replica: int, layer: int, part: int = 0) -> str:
    """Return the net of the spikes of a layer's part; layer -1 is the input."""
    return f"r{replica}/spikes{layer}{_part(part)}" if layer >= 0 else f"r{replica}/spikes_in"


def spikes_to_slice(replica: int, layer: int, part: int, block: Block) -> str:
    """Return the net of those spikes of a layer's part that a slice has weights from."""
    return f"{spikes_from(replica, layer, part)}-to.{block.name}"


def currents_from(replica: int, block: Block) -> str:
    """Return the net of what a slice sums, to its layer's neurons."""
    return f"r{replica}/currents{block.layer}-from.{block.part}"


def jumps_from(replica: int, layer: int) -> str:
    """Return the net of the neurons' jumps, to all slices of the layer."""
    return f"r{replica}/jumps{layer}"


def errors_to(replica: int, layer: int, part: int = 0, sender: int = 0) -> str:
    """Return the net of the errors from part ``sender`` of the layer above (or the loss)."""
    return f"r{replica}/errors{layer}{_part(part)}{_sender(sender)}"


def own_errors_to(replica: int, layer: int, part: int = 0, sender: int = 0) -> str:
    """Return the net of the errors from part ``sender`` of the same, recurrent layer."""
    return f"r{replica}/own_errors{layer}{_part(part)}{_sender(sender)}"


def gradient_from(replica: int, layer: int, part: int = 0) -> str:
    """Return the net of the gradient of a layer's part."""
    return f"r{replica}/gradient{layer}{_part(part)}"


def weights_to(layer: int, part: int = 0, shard: int | None = None) -> str:
    """Return the net that carries the new weights of a layer's part to all replicas.

    ``shard`` names the optimiser PE where there are several.
    """
    return f"weights{layer}{_part(part)}" + ("" if shard is None else f"/{shard}")


def optimiser_name(shard: int = 0) -> str:
    """Return the name of an optimiser vertex."""
    return OPTIMISER + (str(shard) if shard else "")


def norm_net(shard: int) -> str:
    """Return the net from a shard to the next: the sum of the gradient's squares so far."""
    return f"norm{shard}"


def dram_name(interface: int) -> str:
    """Return the name of a DRAM interface's vertex."""
    return f"dram{interface}"


def _part(part: int) -> str:
    return f".{part}" if part else ""


def _sender(part: int) -> str:
    return f"-from.{part}" if part else ""


def require_chip(layer_pes: int, replicas: int, machine: Machine) -> None:
    """Refuse a machine that cannot run EventProp, before its figures are asked for.

    Parameters
    ----------
    layer_pes : int
        Layer PEs of a replica.
    replicas : int
    machine : Machine

    Raises
    ------
    MappingError
        Naming everything that it lacks: figures of PEs, a host interface, enough PEs.
    """
    problems = []
    if "pe.app_data_kb" not in machine.description:
        problems.append(
            "it describes no PEs that run programs (memory, clock levels, DMA); synthetic machines "
            "carry traffic only"
        )
    if not (machine.endpoint_kind == EndpointKind.HOST).any():
        problems.append("it has no host interface to load samples from")
    needed, pes = replicas * (layer_pes + 2) + 1, len(machine.pes())
    if problems and needed > pes:  # on its own the placer says it, with how many replicas fit
        problems.append(
            f"it has {pes} PEs, but {replicas} replicas of {layer_pes + 2} programs and the "
            f"optimiser need {needed}; lower train.batch"
        )
    if problems:
        problems[-1] += "; take a chip such as spinnaker2"
        raise MappingError(f"EventProp on {machine.name}", problems)


def host_place(machine: Machine) -> Place:
    """Return where the machine's host interface is (see :func:`require_chip`)."""
    host = int(np.flatnonzero(machine.endpoint_kind == EndpointKind.HOST)[0])
    return Place(
        int(machine.endpoint_x[host]),
        int(machine.endpoint_y[host]),
        int(machine.endpoint_index[host]),
        int(machine.endpoint_chip[host]),
    )


def drams(machine: Machine) -> list[Place]:
    """Return where the machine's DRAM interfaces are.

    Raises
    ------
    MappingError
        If it has none.
    """
    found = [
        Place(
            int(machine.endpoint_x[end]),
            int(machine.endpoint_y[end]),
            int(machine.endpoint_index[end]),
            int(machine.endpoint_chip[end]),
        )
        for end in np.flatnonzero(machine.endpoint_kind == EndpointKind.DRAM).tolist()
    ]
    if not found:
        raise MappingError(
            f"EventProp on {machine.name}",
            ['it has no DRAM for the optimiser\'s state; take train.optimiser_state = "sram"'],
        )
    return found


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
    wires = _Wires(model, pieces, replicas, traffic or Traffic.assumed(model), options)
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
        nets += wires.of_replica(replica)
    vertices += _optimisers(options, replicas, sram)
    vertices.append(Vertex(HOST, fixed=host_place(machine)))
    nets += wires.shared()
    if options.state == "dram":
        vertices += [Vertex(dram_name(k), fixed=place) for k, place in enumerate(drams(machine))]
        nets += _state_nets(options, len(drams(machine)))
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


def _state_nets(options: ExchangeOptions, interfaces: int) -> list[Net]:
    """Return the nets of sums and moments between optimisers and DRAM, there and back."""
    nets = []
    for s in range(options.optimisers):
        ends = (optimiser_name(s), dram_name(s % interfaces))
        nets += [
            Net(
                f"{source}->{sink}",
                source,
                (sink,),
                "gradient",
                payload_bits=PAYLOAD_BITS,
                dma=True,
            )
            for source, sink in (ends, ends[::-1])
        ]
    return nets


@dataclass(frozen=True)
class _Wires:
    """The nets of an application; see `build_application`."""

    model: Model
    pieces: list[Block]
    replicas: int
    traffic: Traffic
    options: ExchangeOptions

    def of_layer(self, layer: int) -> list[Block]:
        return [block for block in self.pieces if block.layer == layer]

    def owners(self, replica: int, layer: int) -> list[tuple[str, int, int]]:
        """Return the vertices with a layer's neurons, and which; -1 is the input."""
        size = self.model.sizes[layer + 1]
        if layer < 0:
            return [(input_name(replica), 0, size)]
        if self.model.sliced(layer):
            return [(layer_name(replica, layer), 0, size)]
        return [(block_name(replica, b), b.first, b.stop) for b in self.of_layer(layer)]

    def takers(self, replica: int, layer: int) -> list[tuple[str, Block | None]]:
        """Return the vertices that take a layer's inputs; its number of layers is the loss."""
        if layer == self.model.layers:
            return [(loss_name(replica), None)]
        return [(block_name(replica, b), b) for b in self.of_layer(layer)]

    def rate(self, layer: int, first: int, stop: int) -> float:
        """Return the expected spikes per tick of some neurons of a layer."""
        size = self.model.sizes[layer + 1]
        return self.traffic.spikes[layer + 1] / self.model.steps * (stop - first) / size

    def line(self, layer: int, target: int) -> int:
        """Return which input line of layer ``target`` the neuron 0 of a layer is."""
        return self.model.sizes[target] if layer == target else 0

    def of_replica(self, replica: int) -> list[Net]:
        layers = range(self.model.layers)
        nets = [net for layer in range(-1, self.model.layers) for net in self._up(replica, layer)]
        nets += [net for layer in layers for net in self._down(replica, layer)]
        nets += [net for layer in layers for net in self._within(replica, layer)]
        nets += [
            Net(
                gradient_from(replica, block.layer, block.part),
                block_name(replica, block),
                self.gradient_sinks(replica, number),
                "gradient",
                payload_bits=PAYLOAD_BITS,
                packets_per_tick={"exchange": float(packets_of_words(block.words))},
                dma=True,
            )
            for number, block in enumerate(self.pieces)
        ]
        return nets

    def gradient_sinks(self, replica: int, number: int) -> tuple[str, ...]:
        """Return who reads the gradient of a replica's block: optimisers, and tree parents."""
        block = self.pieces[number]
        sinks = [
            optimiser_name(s)
            for s, own in enumerate(cut(self.pieces, self.options.optimisers))
            if any(piece.block == number for piece in own)
        ]
        parents = [p for child, p in edges(self.replicas, self.options) if child == replica]
        return (*sinks, *(block_name(p, block) for p in parents))

    def _up(self, replica: int, layer: int) -> list[Net]:
        """Return the nets of a layer's spikes, or of a read-out's values."""
        model = self.model
        targets = [layer + 1]
        if layer >= 0 and model.recurrent[layer]:
            targets.append(layer)
        takers = [taker for target in targets for taker in self.takers(replica, target)]
        everywhere = tuple(name for name, block in takers if block is None or not block.sliced)
        slices = [(name, block) for name, block in takers if block is not None and block.sliced]
        spiking = layer < 0 or model.spikes(layer)
        bits, payload = SpikeKey(model.sizes[layer + 1]).bits, 0 if spiking else model.word_count
        nets = []
        for part, (source, first, stop) in enumerate(self.owners(replica, layer)):
            if everywhere:
                nets.append(
                    Net(
                        spikes_from(replica, layer, part), source, everywhere, "spike", bits,
                        32 * payload, packets_per_tick={"forward": self.rate(layer, first, stop)},
                    )
                )  # fmt: skip
            for sink, block in slices:
                low, high = block.heard(first, stop, self.line(layer, block.layer))
                if low < high:
                    nets.append(
                        Net(
                            spikes_to_slice(replica, layer, part, block), source, (sink,), "spike",
                            bits, packets_per_tick={"forward": self.rate(layer, low, high)},
                        )
                    )  # fmt: skip
        return nets

    def _within(self, replica: int, layer: int) -> list[Net]:
        """Return the nets between the slices of a layer and its neurons."""
        model = self.model
        if not model.sliced(layer):
            return []
        slices = self.of_layer(layer)
        neurons = layer_name(replica, layer)
        size = model.sizes[layer + 1]
        key = CurrentKey(size, PAYLOAD_WORDS // model.word_count)
        nets = [
            Net(
                currents_from(replica, block), block_name(replica, block), (neurons,), "current",
                key.bits, PAYLOAD_BITS,
                packets_per_tick={
                    "forward": key.groups * self.traffic.busy_share(model, layer, block.lines)
                },
            )
            for block in slices
        ]  # fmt: skip
        jumps = Net(
            jumps_from(replica, layer),
            neurons,
            tuple(block_name(replica, block) for block in slices),
            "error",
            ErrorKey(size, model.steps).bits,
            32 * model.word_count,
            packets_per_tick={"backward": self.rate(layer, 0, size)},
        )
        return [*nets, jumps]

    def _down(self, replica: int, layer: int) -> list[Net]:
        """Return the nets of the errors to a layer, then those from the layer itself."""
        model = self.model
        sources = [(errors_to, layer + 1)]
        if model.recurrent[layer]:
            sources.append((own_errors_to, layer))
        nets = []
        for name, target in sources:
            line = self.line(layer, target)
            for part, (sink, first, stop) in enumerate(self.owners(replica, layer)):
                for sender, (source, block) in enumerate(self.takers(replica, target)):
                    heard = (first, stop) if block is None else block.heard(first, stop, line)
                    if heard[0] < heard[1]:
                        nets.append(
                            Net(
                                name(replica, layer, part, sender), source, (sink,), "error",
                                ErrorKey(model.sizes[layer + 1], model.steps).bits,
                                32 * model.word_count,
                                packets_per_tick={"backward": self.rate(layer, *heard)},
                            )
                        )  # fmt: skip
        return nets

    def shared(self) -> list[Net]:
        replicas = range(self.replicas)
        shards = cut(self.pieces, self.options.optimisers)
        nets = [
            Net(
                weights_to(piece.layer, piece.part, s if len(shards) > 1 else None),
                optimiser_name(s),
                tuple(block_name(replica, self.pieces[piece.block]) for replica in replicas),
                "weight",
                bits_for(packets_of_words(piece.size * self.model.word_count)),
                PAYLOAD_BITS,
                "router_multicast",
                {"exchange": float(packets_of_words(piece.size * self.model.word_count))},
            )
            for s, own in enumerate(shards)
            for piece in own
        ]
        loaded = tuple(name(r) for r in replicas for name in (input_name, loss_name))
        nets.append(Net("samples", HOST, loaded, "host", payload_bits=PAYLOAD_BITS, dma=True))
        return nets + self._norms()

    def _norms(self) -> list[Net]:
        """Return the nets by which shards add up the gradient's norm."""
        names = [optimiser_name(s) for s in range(self.options.optimisers)]
        if len(names) < 2:
            return []
        nets = [
            Net(norm_net(s), name, (names[s + 1],), "gradient", 1, 64)
            for s, name in enumerate(names[:-1])
        ]
        nets.append(
            Net(CLIP_NET, names[-1], tuple(names[:-1]), "gradient", 1, 64, "router_multicast")
        )
        return nets
