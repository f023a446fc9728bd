"""Watches: armed by programs, reported after the instant in which they fire, then disarmed."""

from __future__ import annotations

from chipsim.compiled import inlined
from chipsim.network.compiled.layout import (
    FIRED_COUNT,
    FIRED_START,
    WATCH,
    WATCH_ACCEPTED,
)
from chipsim.network.compiled.state import State


@inlined
def note_fired(net: State, code: int) -> None:
    """Add to the watches that fired: an inbox's base << 1, or a source's base << 1 | 1."""
    count = net.scalars[FIRED_COUNT]
    net.lists[net.scalars[FIRED_START] + count] = code
    net.scalars[FIRED_COUNT] = count + 1


@inlined
def fire_inbox(net: State, inbox: int) -> None:
    """Report that the inbox holds what was waited for."""
    net.inboxes[inbox + WATCH] = 0
    note_fired(net, inbox << 1)


@inlined
def fire_accepted(net: State, source: int) -> None:
    """Report that the script has been accepted whole."""
    net.sources[source + WATCH_ACCEPTED] = 0
    note_fired(net, source << 1 | 1)
