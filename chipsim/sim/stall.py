"""What to say of a run in which every program waits and nothing is under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chipsim.errors import StalledError
from chipsim.sim.effects import Hang

if TYPE_CHECKING:
    from chipsim.sim.pe import ProcessingElement

_NAMED = 8
"""Programs that a message names."""


def own_error(pes: Sequence[ProcessingElement]) -> Exception | None:
    """Return the error that a waiting effect has for this case, with stuck programs as its reason.

    Effects of stuck programs are asked first, then all others in the order of ``pes``; None if no
    effect has one.
    """
    for pe in _waiting(pes):
        error = pe.effect.stalled(pe) if pe.effect is not None else None
        if error is not None:
            return _because_of(_hung(pes), error)
    return None


def all_wait(pes: Sequence[ProcessingElement], now_ps: int) -> StalledError:
    """Return an error that names what each program waits for."""
    waiting = _waiting(pes)
    lines = [
        f"{pe.label} waits for {pe.effect.waits_for(pe)}"
        for pe in waiting[:_NAMED]
        if pe.effect is not None
    ]
    more = f" … and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return StalledError(
        f"at {now_ps} ps every program waits and nothing is under way: {'; '.join(lines)}{more}"
    )


def _hung(pes: Sequence[ProcessingElement]) -> list[ProcessingElement]:
    return [pe for pe in pes if isinstance(pe.effect, Hang)]


def _waiting(pes: Sequence[ProcessingElement]) -> list[ProcessingElement]:
    """Return the PEs whose programs wait, stuck ones first."""
    others = [pe for pe in pes if pe.effect is not None and not isinstance(pe.effect, Hang)]
    return [*_hung(pes), *others]


def _because_of(hung: Sequence[ProcessingElement], error: Exception) -> Exception:
    if not hung:
        return error
    named = "; ".join(f"{pe.label} is stuck (faults.stuck_pes)" for pe in hung[:_NAMED])
    return StalledError(f"{named}: {error}")
