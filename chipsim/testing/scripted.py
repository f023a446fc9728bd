"""Small applications whose programs are plain generator functions, ready to run.

::

    def talk(pe):
        yield pe.next_tick()
        pe.send("hello", [0])

    def listen(pe):
        packets = yield pe.receive()

    simulation = scripted_simulation(
        {"a": talk, "b": listen},
        [Net("hello", "a", ("b",))],
        places={"a": (1, 1, 0), "b": (3, 1, 0)},
    )
    simulation.run()
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping.application import KINDS, Application, Net, Transport, Vertex
from chipsim.mapping.mapping import map_application
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Program
from chipsim.sim.simulation import Simulation
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Level, Recorder

Body = Callable[[ProcessingElement], Generator[Any, Any, Any]]
"""What a program's ``run`` does: a generator function that takes the PE."""


class Scripted(Program):
    """A program made from a generator function.

    Parameters
    ----------
    body : callable
        Called with the PE; what it yields is what the program yields.
    sram : mapping of str to int
        Bytes by region.
    """

    def __init__(self, body: Body, sram: Mapping[str, int] | None = None) -> None:
        self.body = body
        self._sram = dict(sram or {})

    def run(self, pe: ProcessingElement) -> Generator[Any, Any, Any]:
        """Run the function."""
        return self.body(pe)

    def sram(self) -> dict[str, int]:
        """Return the regions."""
        return self._sram


def scripted_simulation(
    bodies: Mapping[str, Body | Program | None],
    nets: Sequence[Net] = (),
    *,
    places: Mapping[str, tuple[int, ...]] | None = None,
    sram: Mapping[str, Mapping[str, int]] | None = None,
    machine: str | Machine = "spinnaker2",
    settings: Mapping[str, object] | None = None,
    transport: Transport = "noc_direct",
    trace: Path | None = None,
    trace_level: Level = "packets",
    **options: Any,
) -> Simulation:
    """Return a simulation of a small application, not yet started.

    Parameters
    ----------
    bodies : mapping of vertex name to generator function, Program or None
        None for a vertex without a program: a memory or host interface, or an idle PE.
    nets : sequence of Net
    places : mapping of vertex name to (x, y), (x, y, pe) or (x, y, pe, chip)
        The others are placed in order on the free PEs.
    sram : mapping of vertex name to regions
        Bytes by region.
    machine : str or Machine
    settings : mapping
        Figures to set (``{"noc.hop_cycles": 7}``); for a machine given by name.
    transport : str
        Of nets that state none.
    trace : Path, optional
        Record to this directory, at ``trace_level``; see :func:`trace_rows`.
    trace_level : str
        How much is recorded, with ``trace``.
    **options
        Of :class:`~chipsim.sim.simulation.Simulation`.
    """
    chip = load_machine(machine, settings) if isinstance(machine, str) else machine
    regions, fixed = sram or {}, places or {}
    vertices = tuple(Vertex(name, regions.get(name, {}), fixed=fixed.get(name)) for name in bodies)
    application = Application("scripted", vertices, tuple(nets), transport)
    mapping = map_application(application, chip, "sequential")
    programs = {
        name: body if isinstance(body, Program) else Scripted(body, regions.get(name))
        for name, body in bodies.items()
        if body is not None
    }
    if trace is not None:
        options["recorder"] = Recorder(trace_level, trace, kinds=KINDS, phases=PHASES)
    return Simulation(mapping, programs, **options)


def trace_rows(
    simulation: Simulation, directory: Path, name: str = "packets"
) -> list[dict[str, Any]]:
    """Close a simulation's recorder and return the rows of one of its data sets.

    Parameters
    ----------
    simulation : Simulation
    directory : Path
        What was given as ``trace``.
    name : str
        ``packets``, ``ticks``, ``channels`` or ``hops``.
    """
    import pyarrow.parquet as pq

    simulation.tracer.flush()
    simulation.tracer.recorder.close()
    rows: list[dict[str, Any]] = pq.read_table(directory / f"{name}.parquet").to_pylist()
    return rows
