"""The one Numba wrapper: compiled once per version of the sources, cached across runs.

Numba's own cache looks at the file a function stands in and misses edits in the modules it calls
into. Here the cache directory is named by a hash over **all** modules that hold compiled code, and
over the modules of their constants, whose values are compiled in: an edit in any of them, another
Numba or another Python makes a new cache.

No ``fastmath``: the order of floating-point operations is part of the kernels' contract
(DESIGN §7), and a fused multiply-add would change bits.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_MARK = re.compile(rb"^from chipsim\.compiled import .*\b(?:compiled|inlined)\b", re.M)
_PACKAGES = ("chipsim", "eventprop_apps")
_IMPORT = re.compile(rb"^from ((?:chipsim|eventprop_apps)\.[\w.]+) import (\([^)]*\)|.*)", re.M)
_CONSTANT = re.compile(rb"\b[A-Z][A-Z0-9_]+\b")
_KEEP_DAYS = 30.0


def kernel_sources(root: Path | None = None) -> list[Path]:
    """Return the source files that hold compiled code or its constants, in a fixed order.

    The former are found by their import of this module, in the packages that stand beside it (or
    in ``root``); the latter by what the former import by a name in capitals.
    """
    root = root or Path(__file__).resolve().parent.parent
    files = [path for package in _PACKAGES for path in (root / package).rglob("*.py")]
    texts = {path: path.read_bytes() for path in files}
    found = {path for path, text in texts.items() if _MARK.search(text)}
    open_ends = list(found)
    while open_ends:
        new = {root / name for name in _modules_of_constants(texts[open_ends.pop()])}
        new = (new & texts.keys()) - found
        found |= new
        open_ends += new
    return sorted(found)


def _modules_of_constants(text: bytes) -> list[str]:
    """Return the files of the modules that a source imports constants from."""
    return [
        module.decode().replace(".", "/") + ".py"
        for module, names in _IMPORT.findall(text)
        if _CONSTANT.search(names)
    ]


@cache
def sources_hash() -> str:
    """Return 16 hex digits over kernel sources, Python, Numba and the processor."""
    import numba

    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{sys.version} {numba.__version__} {platform.machine()}".encode())
    for path in kernel_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def cache_dir() -> Path:
    """Return this version's cache directory; directories unused for 30 days are removed.

    ``CHIPSIM_CACHE`` names another parent; the default is the user's cache directory.
    """
    parent = os.environ.get("CHIPSIM_CACHE")
    if parent is None:
        home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        parent = str(Path(home) / "chipsim")
    here = Path(parent) / f"numba-{sources_hash()}"
    here.mkdir(parents=True, exist_ok=True)
    os.utime(here)
    old = time.time() - _KEEP_DAYS * 86400
    for other in here.parent.glob("numba-*"):
        try:
            if other != here and other.stat().st_mtime < old:
                shutil.rmtree(other, ignore_errors=True)
        except FileNotFoundError:  # another process cleans at the same time
            continue
    return here


def is_cached() -> bool:
    """Return whether this version's cache holds anything, to say so before a long compilation."""
    return any(cache_dir().rglob("*.nbi"))


def compiled(function: F) -> F:
    """Compile ``function`` in nopython mode on its first call, with the shared cache.

    Use it as a plain decorator, imported by name from this module: that import is what marks the
    module as a kernel source. What compiled code uses comes from such modules, or is a constant
    imported by its name, in capitals.
    """
    import numba
    from numba.core import config as numba_config

    config: Any = numba_config  # it sets its attributes when it runs, unseen by type checkers
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_dir())
    try:
        return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    finally:
        config.CACHE_DIR = before


def inlined(function: F) -> F:
    """Compile a small helper into its compiled callers (never called from Python on its own)."""
    import numba

    return cast(F, numba.njit(nogil=True, error_model="numpy", forceinline=True)(function))
