"""Whether two runs gave the same results: their summaries without what the host put in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chipsim.trace.status import read_summary
from chipsim.trace.summary import HOST_FIELDS

_ABSENT = "(absent)"


def summary_differences(
    a: Mapping[str, Any] | str | Path,
    b: Mapping[str, Any] | str | Path,
    ignore: tuple[str, ...] = HOST_FIELDS,
) -> list[str]:
    """Return where two summaries differ, one line ``path: a != b`` each.

    Parameters
    ----------
    a, b : mapping, or str or Path
        Summaries, or the run directories that hold them.
    ignore : tuple of str
        Top-level fields that are not compared; by default those of host and time.

    Notes
    -----
    Values are equal if they have one type and compare equal; there is no tolerance, and 1 is not
    1.0: equal runs give equal bytes.
    """
    left, right = _load(a), _load(b)
    for name in ignore:
        left.pop(name, None)
        right.pop(name, None)
    return _compare("", left, right)


def same_summary(
    a: Mapping[str, Any] | str | Path,
    b: Mapping[str, Any] | str | Path,
    ignore: tuple[str, ...] = HOST_FIELDS,
) -> bool:
    """Return True if two summaries are equal but for host and time, else raise.

    Raises
    ------
    AssertionError
        Naming every field that differs; see :func:`summary_differences`.
    """
    found = summary_differences(a, b, ignore)
    if found:
        raise AssertionError("the summaries differ:\n" + "\n".join(f"  {line}" for line in found))
    return True


def _load(summary: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    return dict(summary) if isinstance(summary, Mapping) else read_summary(summary)


def _compare(path: str, a: Any, b: Any) -> list[str]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        found = []
        for key in [*a, *(k for k in b if k not in a)]:
            inner = f"{path}.{key}" if path else str(key)
            found += _compare(inner, a.get(key, _ABSENT), b.get(key, _ABSENT))
        return found
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return [line for i, (x, y) in pairs for line in _compare(f"{path}[{i}]", x, y)]
    return [] if type(a) is type(b) and a == b else [f"{path}: {a!r} != {b!r}"]
