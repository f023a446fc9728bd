"""The two network models by name."""

from __future__ import annotations

import simpy

from chipsim.errors import NetworkError, did_you_mean
from chipsim.machine.model import Machine
from chipsim.network.api import Network, NetworkOptions, Notify

NETWORKS = ("compiled", "simpy")


def make_network(
    name: str, machine: Machine, env: simpy.Environment, notify: Notify, options: NetworkOptions
) -> Network:
    """Return the network model ``name`` for a machine, in a SimPy environment.

    Raises
    ------
    NetworkError
        For an unknown name.
    """
    if name == "compiled":
        from chipsim.network.compiled import Network as CompiledNetwork

        return CompiledNetwork(machine, notify=notify, options=options)
    if name == "simpy":
        from chipsim.network.reference import Network as ReferenceNetwork

        return ReferenceNetwork(machine, env, notify, options)
    raise NetworkError(f"unknown network {name!r}{did_you_mean(name, NETWORKS)}")
