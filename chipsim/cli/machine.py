"""``chipsim machine``: what a machine is made of, and where each of its figures comes from."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.command import UsageError, add_json, add_settings, print_json
from chipsim.cli.settings import parse_settings

DESCRIPTION = """\
Show a machine: its blocks, counts and clocks, its floor plan, and every figure with unit, kind and
source. NAME is one of --list, or a description file of your own (PATH.toml). --plot draws the
floor plan of a chip and, of several chips, where they stand (needs chipsim[plots])."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim machine``."""
    parser.description = DESCRIPTION
    parser.add_argument("name", metavar="NAME", nargs="?", help="a machine's name, or PATH.toml")
    parser.add_argument("--list", action="store_true", help="list the machines by name")
    parser.add_argument("--plot", metavar="FILE", help="draw it into FILE (.png, .svg or .pdf)")
    add_settings(parser, "noc.hop_cycles=6")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the machine, or the list of machines."""
    from chipsim.machine.describe import as_json, render
    from chipsim.machine.library import list_machines, load_machine

    if arguments.list:
        rows = list_machines()
        if arguments.json:
            print_json([{"name": name, "summary": about} for name, about in rows])
        else:
            width = max(len(name) for name, _ in rows)
            print("\n".join(f"{name:{width}}  {about}" for name, about in rows))
        return 0
    if arguments.name is None:
        raise UsageError("chipsim machine: no NAME given; `chipsim machine --list` lists them")
    if arguments.plot is not None:
        from chipsim.machine.drawing import check_plot

        check_plot(Path(arguments.plot))
    machine = load_machine(arguments.name, parse_settings(arguments.settings))
    if arguments.json:
        print_json(as_json(machine))
    else:
        print(render(machine))
    if arguments.plot is not None:
        from chipsim.machine.drawing import draw

        draw(machine, Path(arguments.plot))
    return 0
