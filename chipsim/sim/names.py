"""``vertices.json``: what the numbers of vertices and nets in a trace stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chipsim.trace.names import write_names as write

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


def write_names(directory: Path | None, simulation: Simulation) -> None:
    """Write the names of a simulation's vertices and nets into its run's directory."""
    if directory is None:
        return
    application, machine = simulation.mapping.application, simulation.machine
    vertices = []
    for name in simulation.vertex_number:
        endpoint = simulation.endpoint_of.get(name, -1)
        place = machine.endpoint_label(endpoint) if endpoint >= 0 else ""
        vertices.append({"name": name, "endpoint": endpoint, "place": place})
    nets = [
        {"name": str(net.name), "kind": net.kind, "source": str(net.source)}
        for net in application.nets
    ]
    write(directory, vertices, nets)
