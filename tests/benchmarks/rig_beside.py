"""Our NER trees and minimised tables beside those of rig 2.4.1: run as a script.

rig is not a dependency, and its last release of 2018 does not import on today's Python by itself;
:func:`_import_rig` says what it lacks. Give the place it is in:

    uv venv rigenv && uv pip install -p rigenv/bin/python rig==2.4.1
    python -m tests.benchmarks.rig_beside --rig rigenv/lib/python3.11/site-packages

Trees: the same random nets on a hexagonal torus, radius 20, links of a tree in the mean; rig takes
one of several shortest ways at random, here from a fixed seed. Tables: the largest of a SpiNNaker1
board, keys by net, Hilbert and ``ner``; rig's ordered covering gets the entries that ours gets,
with those that default routing serves and without, and the shorter table counts, as with ours.
Where an index of its binary search leaves the table (``_get_insertion_index``), it says "fails".
"""

from __future__ import annotations

import argparse
import collections
import collections.abc
import inspect
import random
import sys
import types
from typing import Any

import numpy as np

from chipsim.machine.library import load_machine
from chipsim.mapping.crowd import with_pes_per_tile
from chipsim.mapping.fabric import Fabric, fabric
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.minimise import METHODS, minimise, remove_defaults
from chipsim.mapping.routing.trees import grown
from chipsim.mapping.tables import RouterTable, as_int, make_tables
from chipsim.mapping.tree_kernels import NEAREST

SIZES = ((12, 12), (32, 32))
SINKS = (2, 4, 8, 16, 32, 64, 128)
NETS = 400

TABLES = (
    "ff:n=128,layers=4,reverse=1",
    "ff:n=512,layers=4",
    "ff:n=512,layers=4,reverse=1",
    "ff:n=512,layers=16,reverse=1",
    "rgg:n=512",
)


def _import_rig(path: str) -> tuple[Any, Any]:
    """Return rig's ``ner_net`` and its package of tables."""
    sys.path.append(path)
    for name in collections.abc.__all__:  # moved away in Python 3.10
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    # Removed in Python 3.11; taken only for the arguments of methods that talk to boards.
    vars(inspect)["getargspec"] = lambda of: tuple(inspect.getfullargspec(of)[:4])
    resources = types.ModuleType("pkg_resources")  # for the paths of binaries that boot boards
    vars(resources)["resource_filename"] = lambda *of: ""
    sys.modules["pkg_resources"] = resources
    from rig import routing_table  # type: ignore[import-not-found]
    from rig.place_and_route.route.ner import ner_net  # type: ignore[import-not-found]

    return ner_net, routing_table


def _trees(ner_net: Any, known: Fabric, sinks: int) -> tuple[float, float, float]:
    """Return the mean links of our trees, of rig's, and how many of ours are longer."""
    draw = random.Random(sinks)
    random.seed(sinks)  # rig draws from the global generator
    width, height = int(known.shape[0]), int(known.shape[1])
    build = grown(known, NEAREST)
    ours, theirs = [], []
    for _ in range(NETS):
        source, *ends = draw.sample(range(known.sites), sinks + 1)
        ours.append(len(build(source, np.array(sorted(ends), dtype=np.int32), 1.0)))
        at = [(int(known.x[site]), int(known.y[site])) for site in (source, *ends)]
        _, reached = ner_net(at[0], at[1:], width, height, wrap_around=True, radius=20)
        theirs.append(len(reached) - 1)
    longer = sum(a > b for a, b in zip(ours, theirs, strict=True))
    return sum(ours) / NETS, sum(theirs) / NETS, longer / NETS


def _covering(routing_table: Any, table: RouterTable) -> int:
    """Return the entries that rig's ordered covering leaves of a table."""
    lengths = []
    for rows in (table, remove_defaults(table)):
        entries = [
            routing_table.RoutingTableEntry(
                {
                    routing_table.Routes(bit)
                    for bit in range(24)
                    if as_int(rows.route[i]) >> bit & 1
                },
                int(rows.key[i]),
                int(rows.mask[i]),
            )
            for i in range(len(rows))
        ]
        lengths.append(len(routing_table.ordered_covering.minimise(entries, None)))
    return min(lengths)


def main() -> None:
    """Print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rig", required=True, metavar="DIR", help="where rig is installed")
    ner_net, routing_table = _import_rig(parser.parse_args().rig)
    print("| torus | sinks | our links | rig's links | difference | ours longer |")
    print("|---|---|---|---|---|---|")
    for width, height in SIZES:
        known = fabric(load_machine(f"hex-torus-{width}x{height}"))
        for sinks in SINKS:
            ours, theirs, longer = _trees(ner_net, known, sinks)
            print(
                f"| {width}x{height} | {sinks} | {ours:.2f} | {theirs:.2f} "
                f"| {100 * (ours / theirs - 1):+.2f} % | {100 * longer:.0f} % |",
                flush=True,
            )
    print(f"\n| workload | raw | {' | '.join(METHODS)} | rig's ordered covering |")
    print("|---|---|" + "---|" * (len(METHODS) + 1))
    board = with_pes_per_tile(load_machine("spinnaker1-48"), 16)
    for graph in TABLES:
        tables = make_tables(map_application(generate(graph), board, "hilbert", "ner"))
        raw = max(map(len, tables.values()))
        lengths = [
            max(len(minimise(table, method=method)) for table in tables.values())
            for method in METHODS
        ]
        try:
            covered = str(max(_covering(routing_table, table) for table in tables.values()))
        except IndexError:
            covered = "fails"
        print(f"| {graph} | {raw} | {' | '.join(map(str, lengths))} | {covered} |", flush=True)


if __name__ == "__main__":
    main()
