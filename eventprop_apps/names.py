"""Names of EventProp's vertices and nets; those of a sample's begin with its replica, ``r0/``."""

from __future__ import annotations

from eventprop_apps.partition import Block

OPTIMISER = "optimiser"
HOST = "host"
CLIP_NET = "clip"
"""From the last shard to the others: the sum of squares of the whole gradient."""


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
