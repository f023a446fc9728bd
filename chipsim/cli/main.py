"""The entry of ``chipsim``: find the command, run it, turn errors into messages.

Exit status: 0 done, 1 a command's own negative answer, 2 a message on standard error says what
was wrong, 130 interrupted. An exception that is not a :class:`~chipsim.errors.ChipsimError` is a
defect of chipsim and keeps its traceback.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import cast

from chipsim.cli.command import Command, Parser, UsageError, note, notes_as_json
from chipsim.errors import ChipsimError, did_you_mean

COMMANDS: dict[str, tuple[str, str]] = {
    "compare": ("chipsim.cli.compare", "compare placers and routers on one application"),
    "export": ("chipsim.cli.export", "write a run's trace for other programs: csv, perfetto, vcd…"),
    "inspect": ("chipsim.cli.inspect", "show what a run's trace tells: latencies, waits, loads"),
    "machine": ("chipsim.cli.machine", "show a machine: blocks, clocks, provenance of figures"),
    "map": ("chipsim.cli.map", "place and route an application graph, print its figures"),
    "report": ("chipsim.cli.report", "write one HTML page about a run, or several side by side"),
    "run": ("chipsim.cli.run", "run an experiment on the simulated machine"),
    "search": ("chipsim.cli.search", "search an experiment's settings off the chip, with Optuna"),
    "strategies": ("chipsim.cli.strategies", "list placers, routers and partitioners"),
    "traffic": ("chipsim.cli.traffic", "send synthetic or recorded traffic, measure latency"),
    "validate": ("chipsim.cli.validate", "check an experiment file without running it"),
}
"""Command -> (its module, one line about it)."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``chipsim`` with ``argv`` (default: the process's) and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    notes_as_json(False)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = _dispatch(words)
        sys.stdout.flush()
        return status
    except ChipsimError as error:
        note(f"chipsim: {error}")
        return 2
    except KeyboardInterrupt:
        note("chipsim: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; without this the interpreter complains at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def command_parser(name: str) -> tuple[Command, Parser]:
    """Return the module of command ``name`` and its parser.

    Raises
    ------
    UsageError
        If there is no such command.
    PluginError
        If the package that brings it is broken.
    """
    command = _load(name)
    parser = Parser(prog=f"chipsim {name}")
    command.add_arguments(parser)
    return command, parser


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"chipsim {version('chipsim')}")
        return 0
    command, parser = command_parser(words[0])
    try:
        arguments = parser.parse_strictly(words[1:])
    except SystemExit as done:  # argparse leaves this way after --help
        return int(done.code or 0)
    return command.run(arguments)


def _show_warning(message: Warning | str, *where: object, **more: object) -> None:
    """Print a warning as a line of its own; which line of code gave it helps no user."""
    note(f"chipsim: warning: {message}")


def _load(name: str) -> Command:
    if name in COMMANDS:
        return cast(Command, import_module(COMMANDS[name][0]))
    from chipsim import registry

    brought = registry.entries("chipsim.commands")
    if name not in brought:
        kind = "option" if name.startswith("-") else "command"
        hint = did_you_mean(name, [*COMMANDS, *brought])
        raise UsageError(f"unknown {kind} {name!r}{hint}; see `chipsim --help`")
    return cast(Command, registry.load("chipsim.commands", name))


def _help() -> str:
    from chipsim import registry

    rows = {name: about for name, (_, about) in COMMANDS.items()}
    for name, point in registry.entries("chipsim.commands").items():
        # Its own line about itself would need its import; the package's name does not.
        package = point.dist.name if point.dist else point.module
        rows.setdefault(name, f"from package {package}")
    width = max(map(len, rows))
    lines = [f"  {name:{width}}  {about}" for name, about in sorted(rows.items())]
    return "\n".join(
        [
            "usage: chipsim COMMAND [ARGUMENTS]",
            "",
            "Packet-level simulation of neuromorphic many-core chips.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            "  -h, --help     show this help; `chipsim COMMAND --help` shows a command's",
            "  -V, --version  show the version",
        ]
    )
