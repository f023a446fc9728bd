"""``--set section.key=value``: from the command line's words to typed settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from chipsim.cli.command import UsageError

_KEY = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")


def parse_settings(words: Iterable[str]) -> dict[str, Any]:
    """Return ``{"section.key": value}`` from words of the form ``section.key=value``.

    A value is read as TOML (``3``, ``0.5``, ``true``, ``[1, 2]``, ``"text"``); what is no TOML is
    taken as text, so that ``--set machine.name=spinnaker2`` needs no quotes in a shell. The last
    of two settings of one key wins.

    Raises
    ------
    UsageError
        If words are not of that form; all such words are named.
    """
    settings: dict[str, Any] = {}
    wrong = []
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key):
            wrong.append(repr(word))
            continue
        settings.pop(key, None)
        settings[key] = _value(text.strip())
    if wrong:
        raise UsageError(
            f"--set: got {', '.join(wrong)}; expected KEY=VALUE, for example train.epochs=3"
        )
    return settings


def _value(text: str) -> Any:
    if "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
