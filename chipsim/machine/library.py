"""Machines by name: shipped chips, synthetic meshes, and a user's own description file."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from chipsim.errors import MachineError, did_you_mean
from chipsim.machine import spinnaker1, spinnaker2, synthetic
from chipsim.machine.description import Description
from chipsim.machine.layout import one_board, torus, triads
from chipsim.machine.load import CHIPS, base_of, load_file, load_shipped
from chipsim.machine.model import DeadlockWarning, Machine
from chipsim.machine.outfit import equip

_GRID = re.compile(r"(mesh|torus|hex-torus)-(\d+)x(\d+)")
_BUILDERS = {"spinnaker1": spinnaker1.build, "spinnaker2": spinnaker2.build}
_MOST_ROUTERS = 4_194_304
"""Routers of the largest synthetic machine (2048 x 2048)."""


def list_machines() -> list[tuple[str, str]]:
    """Return (name, one line) of every machine that :func:`load_machine` knows by name."""
    rows = [
        ("spinnaker2", load_shipped("spinnaker2").title),
        ("spinnaker2-48", "SpiNNaker2, a board of 48 chips"),
        ("spinnaker2-triads-WxH", "SpiNNaker2, W x H triads of boards (12W x 12H chips), a torus"),
        ("spinnaker1", load_shipped("spinnaker1").title),
        ("spinnaker1-48", "SpiNNaker1, a board of 48 chips"),
        ("spinnaker1-torus-WxH", "SpiNNaker1, a torus of W x H chips; boards if both are x12"),
    ]
    rows += [(f"{kind}-WxH", load_shipped(kind).title) for kind in ("mesh", "torus", "hex-torus")]
    return [*rows, ("PATH.toml", "a description file of your own (start it with base = ...)")]


def load_machine(name_or_path: str | Path, settings: Mapping[str, object] | None = None) -> Machine:
    """Return a machine by name, or from a description file.

    Parameters
    ----------
    name_or_path : str or Path
        A name as :func:`list_machines` gives it, or the path of a TOML file.
    settings : mapping, optional
        Figures to set (``{"noc.hop_cycles": "7"}``); see :meth:`Description.with_settings`.

    Returns
    -------
    Machine
        Its description records what this caller reads from now on; figures that the machine was
        built from count as read. The arrays of equal machines are shared: do not write to them.

    Raises
    ------
    MachineError
        If there is no such machine.
    DescriptionError
        With all problems of the file or of the settings.
    """
    chosen = tuple(sorted((key, _frozen(value)) for key, value in (settings or {}).items()))
    name = str(name_or_path)
    digest = "" if _is_name(name) else _digest(name)
    machine, messages = _build(name, digest, chosen)
    for message in messages:
        warnings.warn(message, DeadlockWarning, stacklevel=2)
    return dataclasses.replace(machine, description=machine.description.fresh())


@lru_cache(maxsize=32)
def _build(
    name: str, digest: str, settings: tuple[tuple[str, object], ...]
) -> tuple[Machine, tuple[str, ...]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        machine = _make(name, dict(settings))
    messages = tuple(str(item.message) for item in caught)
    return dataclasses.replace(machine, description=machine.description.built()), messages


def _make(name: str, settings: Mapping[str, object]) -> Machine:
    grid = _GRID.fullmatch(name)
    if grid is not None:
        kind, width, height = grid[1], int(grid[2]), int(grid[3])
        description = load_shipped(kind).with_settings(settings)
        return _grid(description, width, height, name)
    chips = CHIPS.fullmatch(name)
    if chips is not None:
        family, *layout = _parts(chips)
        assert family is not None
        return _chips(load_shipped(family).with_settings(settings), name, *layout)
    description = load_file(name).with_settings(settings)
    if description.family in _BUILDERS:
        base = CHIPS.fullmatch(base_of(name))
        layout = [None, None, None] if base is None else _parts(base)[1:]
        return _chips(description, description.name, *layout)
    width, height = (description.integer(f"floor.{side}") for side in ("width", "height"))
    return _grid(description, width, height, description.name)


def _parts(chips: re.Match[str]) -> list[str | None]:
    """Return family, shape, width and height of a name."""
    groups = list(chips.groups())
    return groups[:4] if groups[0] is not None else groups[4:]


def _grid(description: Description, width: int, height: int, name: str) -> Machine:
    if not 1 <= width * height <= _MOST_ROUTERS:
        raise MachineError(
            f"{name}: got {width} x {height} routers, expected 1 to {_MOST_ROUTERS}; "
            "choose another size"
        )
    return synthetic.build(description, width, height, name)


def _chips(
    description: Description, name: str, shape: str | None, across: str | None, up: str | None
) -> Machine:
    """Return a chip, a board of 48 chips, or a torus of chips or boards."""
    build = _BUILDERS[description.family]
    if shape is None:
        return equip(build(description))
    if across is None or up is None:
        layout = one_board()
    else:
        layout = (triads if "triads" in shape else torus)(int(across), int(up))
    kind = load_shipped(description.family).title.partition(",")[0]
    title = f"{kind}, {layout.chips} chips"
    boards = int(layout.board.max()) + 1
    if boards > 1 or not layout.wrap:
        title += f" on {boards} board{'s' if boards > 1 else ''}"
    if layout.wrap:
        title += f", a torus of {layout.width} x {layout.height} chips"
    return equip(build(description.renamed(name, title), layout))


def _is_name(name: str) -> bool:
    return CHIPS.fullmatch(name) is not None or _GRID.fullmatch(name) is not None


def _digest(name: str) -> str:
    """Return the hash of a description file, so that an edited file is read again."""
    path = Path(name)
    if path.suffix == ".toml" or path.exists():
        try:
            return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        except OSError:
            return ""  # reading it says why
    names = [known for known, _ in list_machines()]
    near = did_you_mean(_pattern(name), names[:-1])
    if not near.endswith("?"):  # no name is near: the list below says enough
        near = ";"
    raise MachineError(f"unknown machine {name!r}{near} known: {', '.join(names)}")


def _pattern(name: str) -> str:
    """Return ``name`` with its size as ``WxH``, as the list of machines writes it."""
    return re.sub(r"[-_ ]?\d+\s*[xX*]\s*\d+", "-WxH", name)


def _frozen(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value
