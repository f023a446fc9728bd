"""What EventProp needs of a machine: PEs that run programs, and its host and DRAM interfaces."""

from __future__ import annotations

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Place


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
    return _places(machine, EndpointKind.HOST)[0]


def drams(machine: Machine) -> list[Place]:
    """Return where the machine's DRAM interfaces are.

    Raises
    ------
    MappingError
        If it has none.
    """
    found = _places(machine, EndpointKind.DRAM)
    if not found:
        raise MappingError(
            f"EventProp on {machine.name}",
            ['it has no DRAM for the optimiser\'s state; take train.optimiser_state = "sram"'],
        )
    return found


def _places(machine: Machine, kind: EndpointKind) -> list[Place]:
    """Return where the endpoints of a kind are, ascending."""
    return [
        Place(
            int(machine.endpoint_x[end]),
            int(machine.endpoint_y[end]),
            int(machine.endpoint_index[end]),
            int(machine.endpoint_chip[end]),
        )
        for end in np.flatnonzero(machine.endpoint_kind == kind).tolist()
    ]
