"""``chipsim map`` and ``chipsim strategies``: figures, files and messages."""

import json
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.machine.library import load_machine
from chipsim.mapping import strategies
from chipsim.mapping.files import read

FF = "ff:n=16,layers=4,reverse=1"
FIELDS = {
    "tree_hops",
    "max_link_load",
    "mean_link_load",
    "sd_link_load",
    "tree_links",
    "max_depth",
    "chips_used",
    "table_entries",
    "place_s",
    "route_s",
    "valid",
}


def mapped(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["map", *words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_chain_of_two_on_neighbours(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    path.write_text('{"vertices": [0, 1], "nets": [{"source": 0, "sinks": [1], "weight": 7}]}')
    out = tmp_path / "mapping.json"
    words = (str(path), "--machine", "mesh-2x1", "--place", "sequential", "--route", "ner")
    found = mapped(capsys, *words, "--out", str(out))
    assert found.keys() >= FIELDS
    assert (found["tree_hops"], found["max_link_load"], found["tree_links"]) == (7, 7, 1)
    assert (found["mean_link_load"], found["sd_link_load"]) == (3.5, 3.5)
    assert (found["max_depth"], found["chips_used"], found["valid"]) == (1, 2, True)
    assert read(out, load_machine("mesh-2x1")).placement == {0: 0, 1: 1}
    assert mapped(capsys, *words, "--pes-per-chip", "2")["tree_hops"] == 0


def test_the_same_seed_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    words = (FF, "--machine", "torus-4x4", "--place", "random", "--route", "ldf", "--seed")
    one, again, other = (mapped(capsys, *words, seed) for seed in ("3", "3", "4"))
    for found in (one, again, other):
        del found["place_s"], found["route_s"]
    assert one == again
    assert one["tree_hops"] != other["tree_hops"]


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", FF, "--machine", "mesh-4x4"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (rows["vertices"], rows["nets"], rows["place"]) == ("16", "24", "hilbert")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([FF, "--place", "hilber"], "unknown placer 'hilber'; did you mean 'hilbert'?"),
        ([FF, "--route", "nr"], "unknown router 'nr'; did you mean 'ner'?"),
        ([FF, "--machine", "mesh-3x2"], "16 vertices want a PE each, but mesh-3x2 has 6 free PEs"),
        (["nothing.json"], "graph nothing.json: 1 problem\n  - cannot be read: No such file"),
        ([FF, "--pes-per-chip", "3"], "spinnaker2 has 4 PEs on each tile, got 3"),
        (["yinyan"], "is no file, no generated graph and no experiment; did you mean 'yinyang'?"),
        (["yinyang", "--edges", "2pin"], "--edges does not go with the experiment 'yinyang'"),
        ([FF, "--objective", "tree_hop"], "unknown objective 'tree_hop'; did you mean 'tree_hops'"),
        ([FF, "--partition", "spike"], "unknown partitioner 'spike'; did you mean 'spikes'?"),
        ([FF, "--limit", "neurons=4"], "--limit goes with --partition"),
        (
            [FF, "--partition", "spikes", "--limit", "neuron=4", "--limit", "fan_in=x"],
            "--limit: unknown limit 'neuron'; did you mean 'neurons'?; fan_in is 'x'",
        ),
        ([FF, "--table-target", "4"], "--table-target goes with --minimise"),
        ([FF, "--plot", "a.jpg", "--machine", "mesh-4x4"], "plot a.jpg: expected a file ending in"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["map", *words]) == 2
    assert message in capsys.readouterr().err


def test_strategies_are_listed_with_their_complexity(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for stage in ("placer", "router"):
        mine = [row for row in rows if row["stage"] == stage]
        assert [row["name"] for row in mine] == strategies.names(stage)  # type: ignore[arg-type]
        assert all(row["line"].endswith(".") and row["complexity"].startswith("O(") for row in mine)
    assert main(["strategies"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("placers\n") and "\n  ner  " in text


@pytest.mark.parametrize(
    "objective", ["tree_hops", "max_link_load", "sd_link_load", "max_depth", "table_entries"]
)
def test_best_is_no_worse_than_any_of_its_portfolio(
    capsys: pytest.CaptureFixture[str], objective: str
) -> None:
    words = ("ws:n=14", "--machine", "mesh-4x4", "--objective", objective)
    best = mapped(capsys, *words, "--place", "best", "--route", "best")
    for place in ("hilbert", "hilbert_bfs", "rcm", "sequential"):
        one = mapped(capsys, *words, "--place", place, "--route", "ner")
        assert best[objective] <= one[objective]  # type: ignore[operator]
    again = mapped(capsys, *words[:3], *str(best["again"]).split())
    times = ("place_s", "route_s")
    assert {**again, **dict.fromkeys(times)} == {**best, **dict.fromkeys(times)}


def test_tables_partitions_figures_by_phase_and_pictures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("rgg:n=64", "--machine", "mesh-4x4", "--route", "ner", "--partition", "spikes")
    plot, out = tmp_path / "a.svg", tmp_path / "m.json"
    more = ("--limit", "neurons=4", "--keys", "by-place", "--plot", str(plot), "--out", str(out))
    raw = mapped(capsys, *words, *more)
    assert raw["vertices"] == 16
    assert plot.read_text().lstrip().startswith("<?xml")
    one = read(out, load_machine("mesh-4x4"))
    assert one.tables is None
    first = plot.read_bytes()
    short = mapped(capsys, *words, *more, "--minimise", "--simulate", "2")
    assert plot.read_bytes() == first
    assert 0 < short["table_entries"] < raw["table_entries"]  # type: ignore[operator]
    assert short["tables_minimised"] and read(out, load_machine("mesh-4x4")).tables
    measured: Any = short["measured"]
    assert measured["total"]["undelivered"] == 0
    assert list(measured["by_phase"]) == ["all"]
    assert main(["map", FF, "--minimise", "--table-target", "0"]) == 2
    assert "come down to" in capsys.readouterr().err


def test_an_experiment_gives_its_application_by_phase(capsys: pytest.CaptureFixture[str]) -> None:
    found = mapped(capsys, "yinyang", "--set", "train.batch=3", "--place", "paper")
    assert found["vertices"] == 3 * 4 + 2
    phases: Any = found["by_phase"]
    assert list(phases) == ["forward", "backward", "exchange"]
    assert phases["forward"]["tree_hops"] == 0  # a replica on a QPE of its own
    assert found["replica_locality"] == 1.0
    spread = mapped(capsys, "yinyang", "--set", "train.batch=3", "--place", "random")
    assert spread["replica_locality"] < 1.0  # type: ignore[operator]
    other = mapped(capsys, "yinyang", "--set", "train.batch=3", "--set", "noc.hop_cycles=10")
    assert other["max_latency_ns"] > found["max_latency_ns"]  # type: ignore[operator]
