"""A strategy of one's own from a file: ``path/to/file.py:function``.

What it is follows from the names of its parameters, the documented signatures:

==============  ==================================================
placer          ``place(application, machine, rng)``
router          ``route(application, placement, machine, rng)``
partitioner     ``partition(neurons, limits, rng)``
==============  ==================================================
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from chipsim.errors import PluginError, did_you_mean

SIGNATURES: dict[str, tuple[str, ...]] = {
    "placer": ("application", "machine", "rng"),
    "router": ("application", "placement", "machine", "rng"),
    "partitioner": ("neurons", "limits", "rng"),
}
"""The parameters of each kind of strategy, in order."""


def is_path(word: str) -> bool:
    """Return whether a strategy's name is a file and a function."""
    return ".py:" in word or word.endswith(".py")


def from_file(word: str, stage: str | None = None) -> tuple[str, Callable[..., Any]]:
    """Return (stage, function) of ``path/to/file.py:function``.

    Parameters
    ----------
    word : str
    stage : str, optional
        The kind that is wanted; by default whichever the function's parameters say.

    Raises
    ------
    PluginError
        If the file or the function does not exist or cannot be loaded, or if its parameters are
        not those of the wanted stage (or of any).
    """
    path, _, name = word.rpartition(":")
    if not path or not name.isidentifier():
        raise PluginError(
            f"strategy {word!r}: expected FILE.py:FUNCTION, for example mine.py:place"
        )
    function = getattr(_module(path), name, None)
    if not callable(function):
        here = [n for n, v in vars(_module(path)).items() if inspect.isfunction(v)]
        raise PluginError(
            f"strategy {word!r}: {path} has no function {name!r}{did_you_mean(name, here)}"
        )
    found = _stage(word, function)
    if stage is not None and found != stage:
        wanted = ", ".join(SIGNATURES[stage])
        raise PluginError(
            f"strategy {word!r} is a {found}; a {stage} is wanted here, with the parameters "
            f"({wanted})"
        )
    return found, function


def _stage(word: str, function: Callable[..., Any]) -> str:
    try:
        names = tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = ()
    for stage, wanted in SIGNATURES.items():
        if names[: len(wanted)] == wanted:
            return stage
    forms = "; ".join(f"{stage} ({', '.join(wanted)})" for stage, wanted in SIGNATURES.items())
    raise PluginError(
        f"strategy {word!r} has the parameters ({', '.join(names)}); expected those of a {forms}"
    )


def _module(path: str) -> ModuleType:
    """Return the module of a file, read once for each content."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PluginError(f"strategy file {path} cannot be read: {reason}") from error
    digest = hashlib.blake2b(str(Path(path).resolve()).encode() + b"\0" + content, digest_size=8)
    name = f"chipsim_strategy_{digest.hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"strategy file {path} is no Python file; expected a name ending in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look their module up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises
        del sys.modules[name]
        raise PluginError(
            f"strategy file {path} cannot be loaded: {type(error).__name__}: {error}; mend it"
        ) from error
    return module
