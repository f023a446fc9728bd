"""What ``chipsim map`` and ``chipsim compare`` are given: a graph, a machine and their settings."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chipsim.cli.command import UsageError, add_settings
from chipsim.cli.settings import parse_settings

if TYPE_CHECKING:
    from chipsim.machine.model import Machine
    from chipsim.mapping import Application

HELP = """\
GRAPH is a file (JSON: vertices and nets, or networkx node-link; METIS: .metis, .graph; edge list:
.csv, .tsv, .edges, .txt), a generated graph, or an experiment (yinyang), whose own settings --set
takes too:
  ff:n=64,layers=4,reverse=1  conv:size=8,layers=3  replicas:n=16,layers=4,copies=4
  rgg:n=256  ws:n=256"""


@dataclass(frozen=True)
class Subject:
    """What is mapped, and onto what."""

    application: Application
    machine: Machine


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Declare graph, machine, partitioning and settings."""
    add = parser.add_argument
    add("graph", metavar="GRAPH", help="a file, NAME:KEY=INTEGER,..., or an experiment")
    add("--machine", metavar="NAME", help="default: spinnaker2, or the experiment's")
    add("--pes-per-chip", metavar="N", type=int, help="PEs at each router of a mesh or torus (1)")
    add(
        "--edges",
        choices=("multicast-max", "2pin"),
        help="what edges of several weights from one vertex mean",
    )
    add("--partition", metavar="NAME", help="take vertices as neurons and partition them first")
    add(
        "--limit",
        metavar="NAME=N",
        action="append",
        default=[],
        help="a part's limit: neurons, fan_in, sram_bytes (the PE's), cycles_per_tick; or a cost: "
        "bytes_per_neuron, bytes_per_synapse, cycles_per_neuron, cycles_per_event",
    )
    add_settings(parser, "floor.holes=[[3,2]] (or, of an experiment, train.batch=8)")


def read_subject(arguments: argparse.Namespace, seed: int) -> Subject:
    """Read what the arguments of :func:`add_subject` name."""
    from chipsim.machine.library import load_machine
    from chipsim.mapping.crowd import with_pes_per_tile

    settings = parse_settings(arguments.settings)
    if is_experiment(arguments.graph):
        return _partitioned(_experiment(arguments, settings, seed), arguments, seed)
    machine = load_machine(arguments.machine or "spinnaker2", settings)
    if arguments.pes_per_chip is not None:
        machine = with_pes_per_tile(machine, arguments.pes_per_chip)
    return _partitioned(Subject(_graph(arguments), machine), arguments, seed)


def is_experiment(word: str) -> bool:
    """Return whether a word names an experiment and neither a generated graph nor a file."""
    from pathlib import Path

    from chipsim.experiment.kinds import names
    from chipsim.mapping.generators import GENERATORS

    head = word.partition(":")[0]
    return word in names() and head not in GENERATORS and not Path(word).exists()


def _experiment(arguments: argparse.Namespace, settings: dict[str, Any], seed: int) -> Subject:
    """Return an experiment's application; settings of no section are the machine's."""
    from chipsim.experiment import resolve
    from chipsim.experiment.kinds import find_kind

    kind = find_kind(arguments.graph)
    if kind.application is None:
        raise UsageError(f"experiment {kind.name!r} has no application to map; name a graph")
    for given, name in ((arguments.pes_per_chip, "--pes-per-chip"), (arguments.edges, "--edges")):
        if given is not None:
            raise UsageError(f"{name} does not go with the experiment {kind.name!r}; leave it out")
    sections = kind.model.model_fields
    full = {
        key if key.partition(".")[0] in sections else f"machine.{key}": value
        for key, value in settings.items()
    }
    if arguments.machine is not None:
        full["machine.name"] = arguments.machine
    return Subject(*kind.application(resolve(kind.name, full, seed)))


def _graph(arguments: argparse.Namespace) -> Application:
    from pathlib import Path

    from chipsim.errors import MappingError, did_you_mean
    from chipsim.experiment.kinds import names
    from chipsim.mapping.generators import GENERATORS, generate
    from chipsim.mapping.graph_files import read_graph

    word: str = arguments.graph
    head, colon, _ = word.partition(":")
    if Path(word).exists():
        return read_graph(word, arguments.edges)
    if head in GENERATORS or (colon and "." not in head):
        return generate(word)
    if "." not in word and "/" not in word:
        known = [*names(), *GENERATORS]
        raise MappingError(
            f"graph {word!r}",
            [f"is no file, no generated graph and no experiment{did_you_mean(word, known)}"],
        )
    return read_graph(word, arguments.edges)


def _partitioned(subject: Subject, arguments: argparse.Namespace, seed: int) -> Subject:
    from chipsim.mapping.partition import Limits, Neurons, partition_neurons

    if arguments.partition is None:
        if arguments.limit:
            raise UsageError("--limit goes with --partition; name a partitioner too")
        return subject
    limits = Limits.of_machine(subject.machine, **_limits(arguments.limit))
    neurons = Neurons.of(subject.application)
    made = partition_neurons(neurons, limits, arguments.partition, seed)
    return Subject(made, subject.machine)


def _limits(words: list[str]) -> dict[str, float]:
    from dataclasses import fields

    from chipsim.errors import did_you_mean
    from chipsim.mapping.partition import Limits

    known = [field.name for field in fields(Limits)]
    found: dict[str, float] = {}
    wrong = []
    for word in words:
        name, _, text = word.partition("=")
        if name not in known:
            wrong.append(f"unknown limit {name!r}{did_you_mean(name, known)}")
            continue
        try:
            found[name] = float(text) if "cycles" in name else int(text)
        except ValueError:
            wrong.append(f"{name} is {text!r}; expected a number")
    if wrong:
        raise UsageError("--limit: " + "; ".join(wrong))
    return found
