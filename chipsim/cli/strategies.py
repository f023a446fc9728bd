"""``chipsim strategies``: placers, routers, partitioners, each with a line and its complexity."""

from __future__ import annotations

import argparse

from chipsim.cli.command import add_json, print_json

DESCRIPTION = """\
List the strategies of mapping: placers, routers and partitioners of this package and of installed
plug-ins. --strategy FILE.py:FUNCTION of map and compare takes one of your own
(docs/own-strategy.md)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim strategies``."""
    parser.description = DESCRIPTION
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the lists."""
    from chipsim.mapping.strategies import STAGES, describe

    rows = [row for stage in STAGES for row in describe(stage)]
    if arguments.json:
        print_json([row._asdict() for row in rows])
        return 0
    width = max(len(row.name) for row in rows)
    for stage in STAGES:
        print(f"{stage}s")
        for row in rows:
            if row.stage == stage:
                print(f"  {row.name:{width}}  {row.line} {row.complexity}".rstrip())
    return 0
