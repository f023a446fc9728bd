from __future__ import annotations

import pickle

import pytest

from chipsim.errors import DescriptionError, UnknownFigureError
from chipsim.machine.description import Description
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_shipped


@pytest.fixture
def figures() -> Description:
    return load_shipped("spinnaker2")


def test_typed_readers(figures: Description) -> None:
    assert figures.integer("noc.hop_cycles") == 5
    assert figures.number("noc.hop_cycles") == 5.0
    assert figures.text("pe.rx_full") == "drop_count"
    assert figures.flag("router.emergency") is False
    assert figures.integers("packet.payload_bits") == (0, 32, 64, 128)
    assert figures.tiles("floor.router_tiles") == ((4, 3), (4, 4))
    assert figures.rows("noc.avoided_turns") == ((5, 5, "ES"),)


def test_a_capacity_without_limit_reads_as_zero(figures: Description) -> None:
    changed = figures.with_settings({"noc.fifo_packets": "unbounded"})
    assert changed.integer("noc.fifo_packets") == 0
    assert changed.figure("noc.fifo_packets") == "unbounded"


def test_an_unknown_figure_is_named_with_the_nearest(figures: Description) -> None:
    with pytest.raises(
        UnknownFigureError,
        match=r"^spinnaker2: the description gives no figure 'noc.hop_cycels'; did you mean "
        r"'noc.hop_cycles'\?; add it, with its kind and source, to the machine's TOML file$",
    ):
        figures.figure("noc.hop_cycels")


@pytest.mark.parametrize(
    ("reader", "name", "message"),
    [
        ("integer", "pe.rx_full", "pe.rx_full: got 'drop_count', expected an integer"),
        ("integer", "pe.levels.low_v", "pe.levels.low_v: got 0.5, expected an integer"),
        ("number", "router.emergency", "router.emergency: got False, expected a number"),
        ("text", "noc.hop_cycles", "noc.hop_cycles: got 5, expected a text"),
        ("flag", "noc.hop_cycles", "noc.hop_cycles: got 5, expected true or false"),
        ("integers", "noc.hop_cycles", "noc.hop_cycles: got 5, expected a list of integers"),
        ("tiles", "packet.payload_bits", "expected a list of lists"),
    ],
)
def test_a_mistyped_read(figures: Description, reader: str, name: str, message: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        getattr(figures, reader)(name)
    assert message in str(caught.value)


def test_only_figures_that_were_read_are_assumptions(figures: Description) -> None:
    assert figures.assumptions() == []
    figures.integer("noc.hop_cycles")  # kind D
    figures.integer("noc.credit_cycles")  # kind A
    assert [row.name for row in figures.assumptions()] == ["noc.credit_cycles"]
    assert figures.assumptions()[0][1:3] == (1, "A")
    assert figures.reads == ("noc.hop_cycles", "noc.credit_cycles")


def test_provenance_lists_all_and_reads_nothing(figures: Description) -> None:
    rows = {row.name: row for row in figures.provenance()}
    hop = rows["noc.hop_cycles"]
    assert (hop.value, hop.unit, hop.kind) == (5, "cycles", "D")
    assert rows["pe.cycles.synapse"].unit == "cycles"
    assert rows["noc.flits_per_cycle"].unit == "flits/cycle"
    assert rows["pe.tx_sets"].unit == ""
    assert figures.reads == ()


def test_every_shipped_figure_has_kind_and_source() -> None:
    for name in ("spinnaker2", "mesh", "torus"):
        for row in load_shipped(name).provenance():
            assert row.kind in set("MDCSIA"), row
            assert len(row.source) > 4, row


def test_settings_are_typed_and_of_kind_u(figures: Description) -> None:
    changed = figures.with_settings(
        {"noc.hop_cycles": "7", "pe.dvfs": "auto", "dram.efficiency": 0.5}
    )
    assert changed.integer("noc.hop_cycles") == 7
    assert changed.text("pe.dvfs") == "auto"
    dropping = {"router.emergency": "true", "router.blocked_policy": "drop"}
    assert figures.with_settings(dropping).flag("router.emergency") is True
    assert changed.number("dram.efficiency") == 0.5
    assert {row.kind for row in changed.assumptions()} == {"U"}
    assert "was 5 (D)" in changed.assumptions()[0].source
    assert figures.integer("noc.hop_cycles") == 5, "the original is untouched"


def test_all_problems_of_settings_at_once(figures: Description) -> None:
    with pytest.raises(DescriptionError) as caught:
        figures.with_settings(
            {
                "noc.hop_cycels": "7",
                "noc.hop_ns": "7",
                "noc.fifo_packets": "0",
                "noc.credit_cycles": "many",
                "pe.rx_full": "explode",
                "pe.sram_kb": "-1",
                "pe.cycles.synapsee": "3",
            }
        )
    assert str(caught.value).splitlines() == [
        "settings of spinnaker2: 7 problems",
        "  - noc.hop_cycels: unknown figure; did you mean 'noc.hop_cycles'?",
        "  - noc.hop_ns: wrong unit; this figure is 'noc.hop_cycles', in cycles",
        "  - noc.fifo_packets: got 0 (integer), expected an integer from 1 to 1000000, or "
        "'unbounded'; for no limit write 'unbounded'",
        "  - noc.credit_cycles: got 'many' (text), expected an integer from 1 to 1000000",
        "  - pe.rx_full: got 'explode' (text), expected one of 'drop_count', 'overwrite', 'stall'",
        "  - pe.sram_kb: got -1 (integer), expected a number from 0.001 to 1000000000",
        "  - pe.cycles.synapsee: unknown figure; did you mean 'pe.cycles.synapse'?",
    ]


def test_settings_that_contradict_each_other(figures: Description) -> None:
    with pytest.raises(DescriptionError, match=r"pe\.levels\.low_mhz: got 400, expected at most"):
        figures.with_settings({"pe.levels.low_mhz": "400"})
    with pytest.raises(DescriptionError, match=r"cannot be reached over the mesh"):
        holes = "[[4,3],[4,4],[7,3],[7,4],[1,5],[2,6]]"
        figures.with_settings({"floor.qpe_holes": holes})


def test_each_load_lists_its_own_reads() -> None:
    first, second = load_machine("spinnaker2"), load_machine("spinnaker2")
    built = second.description.reads
    assert "noc.hop_cycles" in built, "the machine rests on what it was built from"
    assert "dram.latency_ns" not in built
    first.description.number("dram.latency_ns")
    assert second.description.reads == built
    assert first.description.fresh().reads == built


def test_descriptions_survive_pickling(figures: Description) -> None:
    figures.integer("noc.credit_cycles")
    again = pickle.loads(pickle.dumps(figures))
    assert again.reads == figures.reads
    assert again.provenance() == figures.provenance()
