from __future__ import annotations

import re
from pathlib import Path

import pytest

import chipsim
import eventprop_apps
from chipsim.machine.families import FAMILIES
from chipsim.machine.load import load_shipped
from chipsim.machine.schema import Spec, spec_of, unit_of, wrong_unit

_READ = re.compile(
    r"\.(?:integer|number|text|flag|integers|tiles|rows|figure)\(\s*\"([a-z0-9_]+\.[a-z0-9_.]+)\""
)


def test_every_figure_that_code_reads_is_shipped() -> None:
    """A misspelt figure in a program would only show when that line runs."""
    shipped = {name for family in FAMILIES for name in load_shipped(family).names()}
    read = set()
    for package in (chipsim, eventprop_apps):
        for path in sorted(Path(next(iter(package.__path__))).rglob("*.py")):
            read |= set(_READ.findall(path.read_text(encoding="utf-8")))
    optional = {"floor.width", "floor.height"}  # of a synthetic machine's own file
    assert len(read) > 30
    assert read - shipped - optional == set()


def test_every_shipped_figure_is_in_its_schema() -> None:
    for family, schema in FAMILIES.items():
        for row in load_shipped(family).provenance():
            spec = spec_of(schema, row.name)
            assert spec is not None, row.name
            assert spec.problem(row.value) is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("noc.hop_cycles", "cycles"),
        ("noc.clock_mhz", "MHz"),
        ("pe.levels.low_v", "V"),
        ("links.short.gbps", "Gbit/s"),
        ("pe.cycles.anything", "cycles"),
        ("router.mc_packets_per_cycle", "packets/cycle"),
        ("floor.pes_per_qpe", ""),
        ("dma.engines", ""),
    ],
)
def test_units_stand_in_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_a_figure_in_another_unit_is_recognised() -> None:
    known = FAMILIES["spinnaker2"]
    assert wrong_unit(known, "dram.latency_us") == "dram.latency_ns"
    assert wrong_unit(known, "noc.hop") == "noc.hop_cycles"
    assert wrong_unit(known, "noc.hop_cycles") is None
    assert wrong_unit(known, "noc.jump_cycles") is None


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (Spec("integer", 1, 9), [1, 9], [0, 10, 1.0, True, "1", None, [1]]),
        (Spec("number", 0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), float("inf"), True, "0"]),
        (Spec("flag"), [True, False], [0, 1, "true"]),
        (Spec("text", choices=("a", "b")), ["a"], ["c", "", 1]),
        (Spec("capacity", 1, 9), [1, "unbounded"], [0, 10, "none", -1]),
        (Spec("integers", 0, 9), [[0], [9, 1]], [[], [10], [1.5], 3, "[1]"]),
        (Spec("tiles", 0, 9), [[], [[1, 2]]], [[[1]], [[1, 2, 3]], [1, 2], [[1, 10]]]),
        (Spec("turns", 0, 9, ("SE",)), [[], [[1, 2, "SE"]]], [[[1, 2]], [[1, 2, "ES"]]]),
    ],
)
def test_forms(spec: Spec, good: list[object], bad: list[object]) -> None:
    assert [value for value in good if spec.problem(value) is not None] == []
    assert [value for value in bad if spec.problem(value) is None] == []
