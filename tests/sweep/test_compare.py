"""Grids of mappings: rows in order, the same from one process or several."""

import csv
import io
import json
from functools import partial
from pathlib import Path

import pytest

from chipsim.cli.main import main
from chipsim.errors import MappingError, PluginError
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.mapping import Application
from chipsim.mapping.generators import generate
from chipsim.sweep.compare import TIMES, Grid, as_csv, compare, front, summarise


def subject(graph: str, name: str) -> tuple[Application, Machine]:
    return generate(graph), load_machine(name)


SOURCE = partial(subject, "ff:n=12,layers=3", "mesh-4x4")


def without_times(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def test_processes_change_nothing() -> None:
    grid = Grid(("hilbert", "random"), ("ner", "xy"), (0, 1), minimise="pair_merge", simulate=2)
    told: list[tuple[int, int]] = []
    one = compare(SOURCE, grid, 1, lambda *at: told.append(at))
    two = compare(SOURCE, grid, 2)
    assert json.dumps(without_times(one)) == json.dumps(without_times(two))
    assert [(r["placer"], r["router"], r["seed"]) for r in one] == list(grid.cells())
    assert told == [(i, 8) for i in range(1, 9)]
    assert one[0]["measured_late"] == 0


def test_medians_front_and_csv() -> None:
    rows = compare(SOURCE, Grid(("random",), ("ner",), (0, 1, 2)))
    (median,) = summarise(rows)
    assert median["tree_hops"] == sorted(row["tree_hops"] for row in rows)[1]
    assert (median["seeds"], "seed" in median) == (3, False)
    points = [{"x": 2, "y": 2}, {"x": 1, "y": 3}, {"x": 2, "y": 3}, {"x": 1, "y": 3}]
    assert front(points, "x", "y") == [1, 0]
    back = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [float(row["tree_hops"]) for row in back] == [row["tree_hops"] for row in rows]


def test_what_does_not_fit_is_a_row_with_its_reason() -> None:
    big = partial(subject, "replicas:n=4,layers=2,copies=4", "mesh-4x4")
    rows = compare(big, Grid(("sequential", "paper"), ("ner",)))
    assert [row["valid"] for row in rows] == [True, False]
    assert "error" in rows[1]
    with pytest.raises(MappingError, match="no mapping could be made"):
        compare(partial(subject, "ff:n=17,layers=1", "mesh-4x4"), Grid(("sequential",), ("ner",)))


def test_grids_that_make_no_sense() -> None:
    with pytest.raises(MappingError, match="placers 'random' is named twice"):
        Grid(("random", "random"), ("ner",))
    with pytest.raises(MappingError, match="no routers; name at least one"):
        Grid(("random",), ())
    with pytest.raises(PluginError, match="unknown router 'nre'; did you mean 'ner'"):
        compare(SOURCE, Grid(("random",), ("nre",)))
    with pytest.raises(MappingError, match="workers is 0"):
        compare(SOURCE, Grid(("random",), ("ner",)), 0)


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = "compare ff:n=12,layers=3 --machine mesh-4x4 --placers hilbert,random --routers ner"
    plot, table = tmp_path / "p.png", tmp_path / "p.csv"
    more = ["--seeds", "0-1", "--plot", str(plot), "--csv", str(table)]
    assert main([*words.split(), *more]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split()[:4] == ["placer", "router", "tree_hops", "max_link_load"]
    assert out[1].startswith("*  hilbert")
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(table.read_text().splitlines()) == 1 + 4
    assert main([*words.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["placer"] for row in found["rows"]] == ["hilbert", "random"]
    assert main([*words.split(), "--pareto", "tree_hop,place_s"]) == 2
    assert "unknown figure 'tree_hop'; did you mean 'tree_hops'?" in capsys.readouterr().err
    assert main([*words.split(), "--seeds", "a"]) == 2
    assert "--seeds: got 'a'; expected numbers" in capsys.readouterr().err
