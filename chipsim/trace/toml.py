"""A small TOML writer for resolved experiments: nested tables of scalars and lists.

The standard library reads TOML but does not write it. What is written here reads back equal
(``tomllib.loads(dumps(x)) == x``); anything else is refused, never approximated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from chipsim.errors import TraceError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f"}
_ESCAPES["\r"] = "\\r"


def dumps(table: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Return ``table`` as TOML text.

    Parameters
    ----------
    table : mapping
        Of str to bool, int, float, str, lists of these (nested too), or further such mappings.
    comments : mapping of str to str, optional
        A comment of one line by dotted path (``train.batch``; ``train`` for the table itself).

    Raises
    ------
    TraceError
        For any other type of value, or a key that is no text.
    """
    lines: list[str] = []
    _table(lines, (), table, comments or {})
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(
    lines: list[str], path: tuple[str, ...], table: Mapping[str, Any], comments: Mapping[str, str]
) -> None:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and (values or not table or ".".join(path) in comments):
        lines.append("")
        lines.extend(_comment(comments, path))
        lines.append(f"[{'.'.join(_key(part, path) for part in path)}]")
    for key, value in values.items():
        where = (*path, key)
        lines.extend(_comment(comments, where))
        lines.append(f"{_key(key, path)} = {_value(value, where)}")
    for key, value in table.items():
        if isinstance(value, Mapping):
            _table(lines, (*path, key), value, comments)


def _comment(comments: Mapping[str, str], path: tuple[str, ...]) -> list[str]:
    text = comments.get(".".join(map(str, path)))
    return [f"# {' '.join(text.split())}"] if text else []


def _key(key: object, path: tuple[str, ...]) -> str:
    if not isinstance(key, str):
        raise TraceError(f"TOML key {key!r} in [{'.'.join(path)}]: expected a text")
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return repr(value) if math.isfinite(value) else str(value)
    if type(value) is str:
        return _text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    raise TraceError(
        f"TOML value at {'.'.join(path)}: got {value!r} ({type(value).__name__}), expected a "
        "bool, int, float, str, or a list of these"
    )


def _text(text: str) -> str:
    out = []
    for char in text:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
