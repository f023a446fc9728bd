"""``chipsim map``: place and route an application graph, and say what the mapping is like."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from chipsim.cli.command import add_json, add_settings, print_json
from chipsim.cli.settings import parse_settings

if TYPE_CHECKING:
    from chipsim.mapping import Application
    from chipsim.mapping.trial import Trial

DESCRIPTION = """\
Map an application graph: place its vertices on PEs, route its nets, check the result and print
its figures. GRAPH is a JSON file (vertices and nets, or networkx node-link) or a generated graph:
ff:n=64,layers=4,reverse=1  replicas:n=16,layers=4,copies=4  rgg:n=256  ws:n=256
`chipsim strategies` lists placers and routers. The figures are explained in docs/mapping.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim map``."""
    parser.description = DESCRIPTION
    parser.add_argument("graph", metavar="GRAPH", help="a JSON file, or NAME:KEY=INTEGER,...")
    parser.add_argument(
        "--machine", metavar="NAME", default="spinnaker2", help="see chipsim machine"
    )
    parser.add_argument(
        "--pes-per-chip", metavar="N", type=int, help="PEs at each router of a mesh or torus (1)"
    )
    parser.add_argument(
        "--place", metavar="PLACER", default="hilbert", help="default: hilbert; best: try several"
    )
    parser.add_argument(
        "--route", metavar="ROUTER", default="default", help="default: default; best: try several"
    )
    parser.add_argument(
        "--objective",
        choices=("tree_hops", "max_link_load"),
        default="tree_hops",
        help="what `--place best` and `--route best` make least",
    )
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--edges",
        choices=("multicast-max", "2pin"),
        help="what edges of several weights from one vertex mean",
    )
    parser.add_argument("--out", metavar="FILE", help="write the mapping (mapping.json)")
    add_settings(parser, "floor.holes=[[3,2]]")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Map the graph and print the figures."""
    from chipsim.machine.library import load_machine
    from chipsim.mapping.crowd import with_pes_per_tile
    from chipsim.mapping.portfolio import find

    application = _application(arguments)
    machine = load_machine(arguments.machine, parse_settings(arguments.settings))
    if arguments.pes_per_chip is not None:
        machine = with_pes_per_tile(machine, arguments.pes_per_chip)
    trial = find(
        application,
        machine,
        arguments.place,
        arguments.route,
        arguments.seed,
        arguments.objective,
    )
    if arguments.out:
        trial.mapping.write(arguments.out)
    if arguments.json:
        print_json(trial.as_dict())
    else:
        print(render(trial))
    return 0


def _application(arguments: argparse.Namespace) -> Application:
    from pathlib import Path

    from chipsim.mapping.generators import GENERATORS, generate
    from chipsim.mapping.graph_files import read_graph

    word: str = arguments.graph
    if word.partition(":")[0] in GENERATORS and not Path(word).exists():
        return generate(word)
    return read_graph(word, arguments.edges)


def render(trial: Trial) -> str:
    """Return the figures of a mapping as a table for people."""
    rows = trial.as_dict()
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {_shown(value)}" for name, value in rows.items())


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
