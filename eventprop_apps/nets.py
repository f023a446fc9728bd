"""The nets of EventProp: who sends what to whom, with keys, payloads and expected packets.

Each part of a layer sends its spikes to all parts of the layer above (and of its own layer, if that
is recurrent), and its errors to the part that owns the spike's neuron. Spikes go to those slices
only that have weights from their neuron; slices send currents to the neurons, which send the jumps
of their adjoint to all slices.
"""

from __future__ import annotations

from dataclasses import dataclass

from chipsim.mapping.application import Net
from chipsim.network.api import PAYLOAD_WORDS
from eventprop_apps.exchange.broadcast import packets_of
from eventprop_apps.exchange.options import ExchangeOptions
from eventprop_apps.exchange.pieces import cut
from eventprop_apps.exchange.tree import edges
from eventprop_apps.keys import CurrentKey, ErrorKey, SpikeKey, bits_for
from eventprop_apps.model import Model
from eventprop_apps.names import (
    CLIP_NET,
    HOST,
    block_name,
    currents_from,
    dram_name,
    errors_to,
    gradient_from,
    input_name,
    jumps_from,
    layer_name,
    loss_name,
    norm_net,
    optimiser_name,
    own_errors_to,
    spikes_from,
    spikes_to_slice,
    weights_to,
)
from eventprop_apps.partition import Block
from eventprop_apps.traffic import Traffic

PAYLOAD_BITS = 32 * PAYLOAD_WORDS


@dataclass(frozen=True)
class Nets:
    """The nets of an application; arguments as `eventprop_apps.application.build_application`."""

    model: Model
    pieces: list[Block]
    replicas: int
    traffic: Traffic
    options: ExchangeOptions

    def of_layer(self, layer: int) -> list[Block]:
        """Return the blocks of a layer's weights."""
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
        """Return the nets that a replica's PEs send on."""
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
                packets_per_tick={"exchange": float(packets_of(block.words))},
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
        key = CurrentKey(size, model.numbers_per_packet)
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
        """Return the nets of the optimiser and the host."""
        replicas = range(self.replicas)
        shards = cut(self.pieces, self.options.optimisers)
        nets = [
            Net(
                weights_to(piece.layer, piece.part, s if len(shards) > 1 else None),
                optimiser_name(s),
                tuple(block_name(replica, self.pieces[piece.block]) for replica in replicas),
                "weight",
                bits_for(packets_of(piece.size * self.model.word_count)),
                PAYLOAD_BITS,
                "router_multicast",
                {"exchange": float(packets_of(piece.size * self.model.word_count))},
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


def state_nets(options: ExchangeOptions, interfaces: int) -> list[Net]:
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
