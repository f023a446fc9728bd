"""What a command is, and the options that several commands share.

A command is a module with :func:`add_arguments` and :func:`run`. It is listed by one line in
``chipsim.cli.main.COMMANDS``; other packages bring theirs by an entry point of the group
``chipsim.commands`` that names such a module.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from chipsim.errors import ChipsimError


class Command(Protocol):
    """A module of one command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments and its ``description``."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work and return the exit status."""


class UsageError(ChipsimError):
    """A command line that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of exiting and never takes abbreviations."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **keywords,
        )

    def error(self, message: str) -> NoReturn:
        """Raise a :class:`UsageError` that names the command's help."""
        raise UsageError(f"{self.prog}: {message}; see `{self.prog} --help`")

    def parse_strictly(self, argv: list[str]) -> argparse.Namespace:
        """Parse ``argv``; an unknown option is an error that names the nearest known one."""
        arguments, unknown = self.parse_known_args(argv)
        for word in unknown:
            if word.startswith("-"):
                near = difflib.get_close_matches(word.split("=")[0], self._option_string_actions)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self.error(f"unknown option {word!r}{hint}")
        if unknown:
            self.error(f"got {' '.join(unknown)!r}, which no argument takes")
        return arguments


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """Add ``--set KEY=VALUE``, which may be given many times.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The command's parser.
    example : str
        A setting that this command takes, for the help text.
    """
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help=f"change one setting, for example {example}; may be given many times",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON on standard output and nothing else there"
    )


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print ``value`` as JSON on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


_as_json = False


def note(text: str) -> None:
    """Print a line for people, on standard error; after :func:`notes_as_json` as an object."""
    line = json.dumps({"event": "note", "text": text}) if _as_json else text
    print(line, file=sys.stderr, flush=True)


def notes_as_json(wanted: bool) -> None:
    """Make :func:`note` print JSON, so that standard error holds nothing else."""
    global _as_json
    _as_json = wanted
