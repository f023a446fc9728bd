"""EventProp as an application: four programs a sample, an optimiser, and the nets between them.

One batch element is one replica: input, layers, loss, in this order, which the paper's placement
puts on the four PEs of one QPE. The optimiser and the host serve all replicas.
"""

from __future__ import annotations

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Application, Net, Place, Transport, Vertex
from eventprop_apps.exchange import packets_of
from eventprop_apps.keys import ErrorKey, SpikeKey, bits_for
from eventprop_apps.model import Model

OPTIMISER = "optimiser"
HOST = "host"
PAYLOAD_BITS = 128


def input_name(replica: int) -> str:
    """Return the name of a replica's input vertex."""
    return f"r{replica}/input"


def layer_name(replica: int, layer: int) -> str:
    """Return the name of a replica's layer vertex."""
    return f"r{replica}/layer{layer}"


def loss_name(replica: int) -> str:
    """Return the name of a replica's loss vertex."""
    return f"r{replica}/loss"


def spikes_from(replica: int, layer: int) -> str:
    """Return the net of a layer's spikes; layer -1 is the input."""
    return f"r{replica}/spikes{layer}" if layer >= 0 else f"r{replica}/spikes_in"


def errors_to(replica: int, layer: int) -> str:
    """Return the net of the errors sent to a layer."""
    return f"r{replica}/errors{layer}"


def weights_to(layer: int) -> str:
    """Return the net that carries a layer's new weights to all replicas."""
    return f"weights{layer}"


def require_chip(model: Model, replicas: int, machine: Machine) -> None:
    """Refuse a machine that cannot run EventProp, before its figures are asked for.

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
    needed, pes = replicas * (model.layers + 2) + 1, len(machine.pes())
    if problems and needed > pes:  # on its own the placer says it, with how many replicas fit
        problems.append(
            f"it has {pes} PEs, but {replicas} replicas of {model.layers + 2} programs and the "
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


def build_application(
    model: Model,
    replicas: int,
    machine: Machine,
    sram: dict[str, dict[str, int]],
    transport: Transport = "noc_direct",
) -> Application:
    """Return the application of ``replicas`` samples in parallel.

    Parameters
    ----------
    model : Model
    replicas : int
        Samples in parallel, at least 1.
    machine : Machine
        Says where the host interface is.
    sram : dict of role to regions
        Bytes by region of the roles ``input``, ``layer0`` …, ``loss``, ``optimiser``.
    transport : str
        Of spikes and errors. Weights always go by ``router_multicast``: they have many sinks.
    """
    vertices: list[Vertex] = []
    nets: list[Net] = []
    for replica in range(replicas):
        vertices.append(Vertex(input_name(replica), sram["input"], group=replica))
        vertices += [
            Vertex(layer_name(replica, layer), sram[f"layer{layer}"], group=replica)
            for layer in range(model.layers)
        ]
        vertices.append(Vertex(loss_name(replica), sram["loss"], group=replica))
        nets += _replica_nets(model, replica)
    vertices.append(Vertex(OPTIMISER, sram["optimiser"]))
    vertices.append(Vertex(HOST, fixed=host_place(machine)))
    nets += _shared_nets(model, replicas)
    return Application("eventprop", tuple(vertices), tuple(nets), transport)


def _replica_nets(model: Model, replica: int) -> list[Net]:
    names = [
        input_name(replica),
        *(layer_name(replica, layer) for layer in range(model.layers)),
        loss_name(replica),
    ]
    nets = [
        Net(
            spikes_from(replica, layer - 1),
            names[layer],
            (names[layer + 1],),
            "spike",
            SpikeKey(model.sizes[layer]).bits,
        )
        for layer in range(model.layers + 1)
    ]
    nets += [
        Net(
            errors_to(replica, layer),
            names[layer + 2],
            (names[layer + 1],),
            "error",
            ErrorKey(model.sizes[layer + 1], model.steps).bits,
            32 * model.word_count,
        )
        for layer in range(model.layers)
    ]
    nets += [
        Net(
            f"r{replica}/gradient{layer}",
            layer_name(replica, layer),
            (OPTIMISER,),
            "gradient",
            payload_bits=PAYLOAD_BITS,
            dma=True,
        )
        for layer in range(model.layers)
    ]
    return nets


def _shared_nets(model: Model, replicas: int) -> list[Net]:
    nets = [
        Net(
            weights_to(layer),
            OPTIMISER,
            tuple(layer_name(replica, layer) for replica in range(replicas)),
            "weight",
            bits_for(packets_of(model, layer)),
            PAYLOAD_BITS,
            "router_multicast",
        )
        for layer in range(model.layers)
    ]
    loaded = [name(r) for r in range(replicas) for name in (input_name, loss_name)]
    nets.append(Net("samples", HOST, tuple(loaded), "host", payload_bits=PAYLOAD_BITS, dma=True))
    return nets
