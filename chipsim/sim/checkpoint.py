"""Checkpoints: the state of a simulation at a moment at which nothing is on its way.

Programs are coroutines, which cannot be written down. So a checkpoint is taken where every program
waits at one barrier and the network is empty: the rest is arrays and numbers. Whoever continues
builds the same simulation again, restores the state, and starts the programs at that barrier.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import CheckpointError
from chipsim.trace.files import npz_bytes
from chipsim.units import FOREVER

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

FORMAT = "chipsim-checkpoint/2"
"""Version of the file's layout."""
ABOUT = "about"

State = dict[str, Any]
"""Nested: dicts by name, with arrays and plain JSON values at the ends."""


def is_quiet(simulation: Simulation) -> bool:
    """Return whether nothing is on its way, so that a checkpoint can be taken now."""
    simulation.synchronise()
    network = simulation.network
    return (
        not simulation.transfers.open
        and network.counters().in_flight == 0
        and network.next_time() == FOREVER
    )


def state_of(simulation: Simulation) -> State:
    """Return the state of a simulation whose programs all wait at one barrier.

    Raises
    ------
    CheckpointError
        If something is on its way, the programs do not all wait at one barrier, or the network
        model cannot be written down.
    """
    network = simulation.network
    if not hasattr(network, "state"):
        raise CheckpointError(
            'checkpoint: network.model = "simpy" keeps its state in processes, which cannot be '
            'written down; take network.model = "compiled", whose results are the same'
        )
    if not is_quiet(simulation):
        raise CheckpointError(
            f"checkpoint at {int(simulation.env.now)} ps: {network.counters().in_flight} copies "
            f"and {len(simulation.transfers.open)} transfers are on their way; take it at a "
            "barrier that all programs reach after the last packet"
        )
    recorded = [pe.label for pe in simulation.pe_list if pe.recordings]
    if recorded:
        raise CheckpointError(
            f"checkpoint: {recorded[0]} holds what pe.record has taken, which no checkpoint keeps; "
            "run without a checkpoint, or record nothing"
        )
    simulation.charge_kernels()
    return {
        "now_ps": int(simulation.env.now),
        "order": _released(simulation),
        "tick_handlers": simulation.tick_handlers,
        "sequence": simulation.sequence,
        "cores": simulation.cores.data,
        "ticks": simulation.tick_log.totals,
        "operations": dict(simulation.costs.used),
        "by_core": _by_core(simulation),
        "barriers": {str(i): barrier.generation for i, barrier in enumerate(simulation.barriers())},
        "transfers": simulation.transfers.state(),
        "network": network.state(),
        "tracer": simulation.tracer.state(),
        "recorder": simulation.tracer.recorder.state(),
        "memories": _memories(simulation),
    }


def restore(simulation: Simulation, state: Mapping[str, Any]) -> None:
    """Put a simulation that has not run yet into a checkpoint's state.

    Raises
    ------
    CheckpointError
        If the state is that of another simulation.
    """
    if int(simulation.env.now) or hasattr(simulation, "processes"):
        raise CheckpointError("restore: the simulation has run already; build it anew first")
    simulation.env._now = int(state["now_ps"])
    simulation.tick_handlers = int(state["tick_handlers"])
    _copy("sequence", simulation.sequence, state["sequence"])
    _copy("cores", simulation.cores.data, state["cores"])
    _copy("ticks", simulation.tick_log.totals, state["ticks"])
    simulation.costs.used.clear()
    simulation.costs.used.update({name: int(n) for name, n in state["operations"].items()})
    _restore_by_core(simulation, state["by_core"])
    for i, barrier in enumerate(simulation.barriers()):
        barrier.generation = int(state["barriers"][str(i)])
    simulation.transfers.restore(state["transfers"])
    simulation.network.restore(state["network"])  # type: ignore[attr-defined]
    simulation.tracer.restore(state["tracer"])
    simulation.tracer.recorder.restore(state["recorder"])
    held = _memories(simulation)
    if held.keys() != state["memories"].keys():
        raise CheckpointError("checkpoint: is of a run with other memories; take its settings")
    for name, words in held.items():
        _copy(f"memory {name}", words, state["memories"][name])
    simulation.start_order = list(state["order"])
    for pe in simulation.pe_list:
        pe.skip_masked_ticks()  # as every program does when the barrier lets it go


def _by_core(simulation: Simulation) -> State:
    """Return what single cores have counted beside their arrays."""
    return {
        "kernels": {str(group.number): group.charged for group in simulation.groups()},
        "programs": {pe.vertex: dict(pe.operations) for pe in simulation.pe_list},
        "strangers": {str(end): count for end, count in simulation.strangers.found.items()},
    }


def _restore_by_core(simulation: Simulation, state: Mapping[str, Any]) -> None:
    for group in simulation.groups():
        _copy(f"kernel {group.number}", group.charged, state["kernels"][str(group.number)])
    for pe in simulation.pe_list:
        pe.operations.update(state["programs"][pe.vertex])
    simulation.strangers.found.update(
        {int(end): int(count) for end, count in state["strangers"].items()}
    )


def _released(simulation: Simulation) -> list[str]:
    """Return all vertices in the order in which the barrier that is being released lets them go."""
    now = int(simulation.env.now)
    for barrier in simulation.barriers():
        if barrier.released_ps == now and set(barrier.released) == set(simulation.pes):
            return barrier.released
    raise CheckpointError(
        f"checkpoint at {now} ps: the programs do not all wait at one barrier; take it where a "
        "barrier of all vertices is released"
    )


def _memories(simulation: Simulation) -> dict[str, NDArray[np.uint32]]:
    """Return every mapped region of every memory, as views."""
    held = {pe.endpoint: pe.sram for pe in simulation.pe_list}
    held |= {end: port.sram for end, port in simulation.transfers.memories()}
    return {
        f"{endpoint}.{number}": words
        for endpoint, sram in sorted(held.items())
        for number, words in enumerate(sram.mapped())
    }


def _copy(name: str, own: NDArray[Any], saved: NDArray[Any]) -> None:
    if own.shape != saved.shape or own.dtype != saved.dtype:
        raise CheckpointError(
            f"checkpoint: {name} is {saved.dtype} {saved.shape}, expected {own.dtype} {own.shape}; "
            "it is of a run with other settings"
        )
    own[...] = saved


# ---------------------------------------------------------------------------------------- files
def dumps(state: State) -> bytes:
    """Return a state as the bytes of an ``.npz`` file; equal states give equal bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    plain = _split(state, "", arrays)
    text = json.dumps({"format": FORMAT, "state": plain}, sort_keys=True, allow_nan=False)
    return npz_bytes({ABOUT: np.frombuffer(text.encode(), np.uint8), **arrays})


def load(path: str | Path) -> State:
    """Return the state that a file holds.

    Raises
    ------
    CheckpointError
        If the file is missing, broken, or of another version.
    """
    import zipfile

    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(ABOUT).tobytes())
        found, state = about["format"], about["state"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}: no checkpoint, or a broken one ({error}); start the run without --resume"
        ) from error
    if found != FORMAT:
        raise CheckpointError(f"{path}: got format {found!r}, this chipsim reads {FORMAT!r}")
    for name, array in arrays.items():
        *way, last = name.split("/")
        place = state
        for step in way:
            place = place.setdefault(step, {})
        place[last] = array
    return dict(state)


def _split(value: Mapping[str, Any], prefix: str, arrays: dict[str, NDArray[Any]]) -> State:
    """Take the arrays out of nested dicts, under names joined by ``/``."""
    plain: State = {}
    for name, item in _sorted(value):
        if isinstance(item, Mapping):
            plain[name] = _split(item, f"{prefix}{name}/", arrays)
        elif isinstance(item, np.ndarray):
            arrays[f"{prefix}{name}"] = item
        else:
            plain[name] = item
    return plain


def _sorted(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from sorted(value.items())
