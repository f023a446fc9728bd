"""What other packages bring: experiments, strategies and commands, found by entry points.

The groups are ``chipsim.experiments``, ``chipsim.placers``, ``chipsim.routers``,
``chipsim.partitioners`` and ``chipsim.commands``. A plug-in that fails to load is one clear line
where its name is used; the others still work.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from chipsim.errors import PluginError, did_you_mean


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of ``group`` by name, in alphabetical order.

    Where two packages claim one name, the one whose object's path sorts first has it, so the
    choice does not depend on the order of installation.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda p: (p.name, p.value)):
        found.setdefault(point.name, point)
    return found


def load(group: str, name: str) -> Any:
    """Return the object behind entry point ``name`` of ``group``.

    Raises
    ------
    PluginError
        If there is no such name, or loading it fails.
    """
    points = entries(group)
    if name not in points:
        what = group.removeprefix("chipsim.").removesuffix("s")
        raise PluginError(f"unknown {what} {name!r}{did_you_mean(name, points)}")
    try:
        return points[name].load()
    except Exception as error:  # whatever a plug-in raises must not take the rest down
        raise PluginError(
            f"{group} {name!r} ({points[name].value}) cannot be loaded: "
            f"{type(error).__name__}: {error}; mend or uninstall the package that brings it"
        ) from error
