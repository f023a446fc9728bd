"""Strategies of one's own: from files, found out by the conformance suite, refused by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.errors import MappingError, PluginError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Branch, Route
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Name
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.own import from_file
from chipsim.mapping.partition import Limits, Neurons, Parts
from chipsim.mapping.placement import sequential
from chipsim.mapping.routing import default
from chipsim.testing.mapping import check_partitioner, check_placer, check_router
from tests.mapping.helpers import machine

MINE = '''
"""A placer and a router of one's own."""

from chipsim.mapping.placement.sequential import place as first
from chipsim.mapping.routing.default import route as given


def place(application, machine, rng):
    """Put the vertices on the last PEs. O(V)"""
    names = [v.name for v in application.vertices]
    return dict(zip(names, machine.pes().tolist()[::-1]))


def route(application, placement, machine, rng):
    return given(application, placement, machine, rng)


def partition(neurons, limits, rng):
    return [0] * len(neurons)


def neither(graph):
    return graph
'''


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


def test_what_a_function_is_follows_from_its_parameters(mine: str) -> None:
    assert [from_file(f"{mine}:{n}")[0] for n in ("place", "route", "partition")] == [
        "placer",
        "router",
        "partitioner",
    ]
    mapping = map_application(
        generate("ff:n=4,layers=2"), machine("mesh-4x4"), f"{mine}:place", f"{mine}:route"
    )
    assert mapping.placement[0] == 15
    assert mapping.placer == f"{mine}:place"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("{}:plac", "has no function 'plac'; did you mean 'place'?"),
        ("{}:neither", r"has the parameters (graph); expected those of a placer (application,"),
        ("{}:route", "is a router; a placer is wanted here, with the parameters (application,"),
        ("{}", "expected FILE.py:FUNCTION, for example mine.py:place"),
        ("none.py:place", "strategy file none.py cannot be read: No such file"),
    ],
)
def test_files_that_will_not_do(mine: str, word: str, text: str) -> None:
    with pytest.raises(PluginError) as caught:
        strategies.placer(word.format(mine))
    assert text in str(caught.value)


def test_a_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import no_such_module\n")
    with pytest.raises(PluginError, match="cannot be loaded: ModuleNotFoundError: No module name"):
        strategies.placer(f"{path}:place")


def test_the_command_takes_it(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["map", "ff:n=8,layers=2", "--machine", "mesh-4x4", "--strategy", f"{mine}:place"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["place"] == f"{mine}:place"
    assert main([*words[:-1], f"{mine}:partition", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vertices"] == 1
    assert main([*words[:-1], f"{mine}:neither"]) == 2
    assert "has the parameters (graph)" in capsys.readouterr().err


# --------------------------------------------------------------------- the suite and its findings
Rng = np.random.Generator


def nightly_but(quick: str, stage: strategies.Stage) -> list[Any]:
    """All strategies of a stage, those other than ``quick`` in the nightly run only."""
    return [
        name if name == quick else pytest.param(name, marks=pytest.mark.nightly)
        for name in strategies.names(stage)
        if name not in ("paper",)  # wants replicas of one size
    ]


@pytest.mark.parametrize("name", nightly_but("hilbert", "placer"))
def test_placers_of_this_package_conform(name: str) -> None:
    check_placer(strategies.placer(name))


@pytest.mark.parametrize("name", nightly_but("ner", "router"))
def test_routers_of_this_package_conform(name: str) -> None:
    check_router(strategies.router(name))


@pytest.mark.parametrize("name", strategies.names("partitioner"))
def test_partitioners_of_this_package_conform(name: str) -> None:
    check_partitioner(strategies.partitioner(name))


def findings(check: Any, strategy: Any) -> str:
    with pytest.raises(MappingError) as caught:
        check(strategy)
    return str(caught.value)


def test_overfull_and_dead_pes_are_found() -> None:
    def overfull(application: Application, machine: Machine, rng: Rng) -> dict[Name, int]:
        placed = sequential.place(application, machine, rng)
        return dict.fromkeys(placed, next(iter(placed.values())))

    def on_the_dead(application: Application, machine: Machine, rng: Rng) -> dict[Name, int]:
        placed = sequential.place(application, machine, rng)
        if machine.endpoint_dead is None:
            return placed
        dead = np.flatnonzero(machine.endpoint_dead).tolist()
        free = [v.name for v in application.vertices if v.place is None]
        return placed | {free[0]: int(dead[0])}

    assert "holds both 0 and 1; it has room for one" in findings(check_placer, overfull)
    text = findings(check_placer, on_the_dead)
    assert "on spinnaker2 with dead QPEs, seed 0" in text
    assert "dead" in text.split("seed 0: ", 1)[1]
    assert " on mesh," not in text


def test_broken_trees_and_chance_are_found() -> None:
    def lost(
        application: Application, placement: Mapping[Name, int], machine: Machine, rng: Rng
    ) -> dict[Name, tuple[Route, ...]]:
        routes = default.route(application, placement, machine, rng)
        name, (first, *more) = next(iter(routes.items()))
        last = [b for stage in first.stages for b in stage if b.next == SINK][-1]
        stages = tuple(tuple(b for b in stage if b != last) for stage in first.stages)
        return {**routes, name: (Route(first.port, stages, first.payload_bits), *more)}

    def jump(
        application: Application, placement: Mapping[Name, int], machine: Machine, rng: Rng
    ) -> dict[Name, tuple[Route, ...]]:
        routes = default.route(application, placement, machine, rng)
        name, (first, *more) = next(iter(routes.items()))
        stages = ((Branch(first.stages[0][0].channel + 1, 1),), *first.stages[1:])
        return {**routes, name: (Route(first.port, stages, first.payload_bits), *more)}

    def by_chance(application: Application, machine: Machine, rng: Rng) -> dict[Name, int]:
        rng = np.random.default_rng()
        pes = rng.permutation(machine.pes()).tolist()
        return {v.name: pes[i] for i, v in enumerate(application.vertices)}

    assert "does not reach its sink" in findings(check_router, lost)
    assert "net 0, route 0 " in findings(check_router, jump)
    assert "gives another mapping the second time" in findings(check_placer, by_chance)


def test_an_exception_is_a_finding_and_so_are_full_parts() -> None:
    def fails(neurons: Neurons, limits: Limits, rng: Rng) -> Parts:
        raise IndexError("nowhere")

    def one(neurons: Neurons, limits: Limits, rng: Rng) -> Parts:
        return np.zeros(len(neurons), dtype=np.int64)

    assert "raises IndexError: nowhere" in findings(check_partitioner, fails)
    text = findings(check_partitioner, one)
    assert "part 0 takes 16 neurons, the limit is 3" in text
    assert ", no limits," not in text


def test_a_suite_machine_has_the_faults_it_says() -> None:
    chip = load_machine("spinnaker2", {"faults.qpes": [[2, 2], [6, 5]], "faults.pes": [[1, 1, 3]]})
    assert len(load_machine("spinnaker2").pes()) - len(chip.pes()) == 9


def test_routes_that_are_none_are_named() -> None:
    application = generate("ff:n=4,layers=2")
    with pytest.raises(MappingError, match=r"the routes are None; expected a dict of net name to"):
        map_application(
            application,
            load_machine("mesh-2x2"),
            "hilbert",
            lambda *_: None,  # type: ignore
        )
