"""The error tree. A message says what, where, got, expected and the fix; all of it is in ``args``.

SimPy rebuilds an exception that escapes a process from its ``args``, so every class here takes
only positional arguments and keeps all its fields in them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ChipsimError(Exception):
    """Base of every error that chipsim raises on purpose; the CLI prints it without traceback."""


class UnitError(ChipsimError):
    """A time or size that its unit cannot hold."""


class ProblemsError(ChipsimError):
    """Several problems of one thing, reported at once.

    Parameters
    ----------
    subject : str
        What was read, for example a file's name.
    problems : sequence of str
        One sentence per problem.
    """

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        super().__init__(subject, tuple(problems))

    @property
    def subject(self) -> str:
        """What was read."""
        return str(self.args[0])

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence per problem."""
        return tuple(self.args[1])

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.subject}: {count} problem{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  - {problem}" for problem in self.problems)])


class DescriptionError(ProblemsError):
    """A machine description that cannot be used."""


class ExperimentError(ProblemsError):
    """An experiment file or its settings that cannot be used."""


class UnknownFigureError(ChipsimError):
    """A hardware figure was read that the description does not give."""


class MachineError(ChipsimError):
    """A machine that does not exist or cannot do what was asked of it."""


class RouteError(ChipsimError):
    """A route that the machine's nodes cannot realise."""


class MappingError(ProblemsError):
    """A placement, routing or key allocation that does not fit the machine."""


class SramError(ChipsimError):
    """A PE's SRAM is too small for what its program wants."""


class NetworkError(ChipsimError):
    """The network was asked for something it cannot do."""


class DeadlockError(NetworkError):
    """Packets wait for each other in a circle, or for room that no program will make."""


class ProgramError(ChipsimError):
    """A program yielded, sent or asked for something that the PE does not offer."""


class StalledError(ChipsimError):
    """Every program waits and nothing is under way that could wake one of them."""


class ExchangeError(ChipsimError):
    """The exchange of gradients and weights lost a word."""


class DataError(ChipsimError):
    """A data set or an input array that cannot be used."""


class TraceError(ChipsimError):
    """A run directory or trace file that cannot be read or written."""


class CheckpointError(ChipsimError):
    """A checkpoint that cannot be taken, read, or continued from."""


class PluginError(ChipsimError):
    """An entry point that cannot be loaded, or a name that no entry point has."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, or the list of known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
