"""``chipsim validate``: check an experiment file without running it."""

from __future__ import annotations

import argparse

from chipsim.cli.command import add_json, add_settings, print_json
from chipsim.cli.settings import parse_settings

DESCRIPTION = """\
Check an experiment without running it: its file, the settings put over it, the machine's figures.
All problems are named at once; the exit status is 0 if there is none and 2 otherwise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim validate``."""
    parser.description = DESCRIPTION
    parser.add_argument("experiment", metavar="FILE", help="a TOML file, or an experiment's name")
    add_settings(parser, "train.epochs=1")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the experiment and say that it is valid, or print all its settings as JSON."""
    from chipsim.experiment import validate

    experiment = validate(arguments.experiment, parse_settings(arguments.settings))
    if arguments.json:
        print_json(experiment.table())
    else:
        machine = experiment.values.machine.name
        print(f"{arguments.experiment}: valid ({experiment.name} on {machine})")
    return 0
