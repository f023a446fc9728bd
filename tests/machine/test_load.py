from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DescriptionError, MachineError
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_file, parse, shipped

TEXT = (files("topologies") / "spinnaker2.toml").read_text(encoding="utf-8")
SPOTS = [match.span(1) for match in re.finditer(r"value = (.*?), kind", TEXT)]
LINES = TEXT.splitlines(keepends=True)


def test_shipped_descriptions() -> None:
    assert shipped() == ("hex-torus", "mesh", "spinnaker1", "spinnaker2", "torus")


def test_all_problems_of_a_file_at_once() -> None:
    text = TEXT.replace("hop_cycles", "hop_ns", 1)
    text = text.replace("sram_kb = { value = 128, ", "sram_kb = { value = -128, ")
    text = text.replace("[cnoc]\nclock_mhz", "[cnoc]\nclok_mhz")
    text = text.replace('tx_sets = { value = 4, kind = "C", ', "tx_sets = { value = 4, ")
    text = text.replace('banks = { value = 4, kind = "D"', 'banks = { value = "four", kind = "X"')
    text += "\n[pe2]\nthing = 3\n"
    with pytest.raises(DescriptionError) as caught:
        parse(text, "chip.toml")
    assert caught.value.subject == "chip.toml"
    assert list(caught.value.problems) == [
        "noc.hop_ns: wrong unit; this figure is 'noc.hop_cycles', in cycles",
        "cnoc.clok_mhz: unknown figure; did you mean 'cnoc.clock_mhz'?",
        "pe.sram_kb: got -128 (integer), expected a number from 0.001 to 1000000000",
        "pe.banks: got 'four' (text), expected an integer from 1 to 1000000000",
        "pe.banks: kind: got 'X', expected one of M, D, C, S, I, A",
        "pe.tx_sets: missing provenance: give kind (a figure says where it comes from)",
        'pe2.thing: got 3 without provenance; expected { value = ..., kind = "...", '
        'source = "..." }',
        "noc.hop_cycles: missing; this family needs it",
        "pe.tx_sets: missing; this family needs it",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r'name: missing; a description begins with name = "\.\.\."'),
        ("name = 3\n", "name: got 3, expected a text that is not empty"),
        ('name = "x"\n', "family: missing; one of spinnaker1, spinnaker2, mesh, torus, hex-torus"),
        ('name = "x"\nfamily = "spinaker2"\n', "did you mean 'spinnaker2'"),
        ('name = "x"\nbase = "meshh"\n', "base: unknown description 'meshh'; did you mean 'mesh'"),
        ('name = "x"\nbase = "mesh"\nfamily = "torus"\n', "but base is of family 'mesh'"),
        ("name = \n", "no valid TOML: Invalid value"),
        ("a = " + "[" * 5000, "no valid TOML"),
    ],
)
def test_headers_that_cannot_be_used(text: str, problem: str) -> None:
    with pytest.raises(DescriptionError, match=problem):
        parse(text, "chip.toml")


@pytest.mark.parametrize(
    ("figure", "problem"),
    [
        ('{ value = 5, kind = "U", source = "me" }', "kind 'U' is what settings make"),
        ('{ value = 5, kind = "D", source = "" }', "source: got '', expected a text"),
        ('{ value = 5, kind = "D", source = "x", unit = "ns" }', "unknown key 'unit'"),
        ('{ kind = "D", source = "x" }', "hop_cycles: missing value"),
        ('{ value = true, kind = "D", source = "x" }', r"got True \(flag\), expected an integer"),
        ('{ value = 5.0, kind = "D", source = "x" }', r"got 5.0 \(number\), expected an integer"),
        ('{ value = nan, kind = "D", source = "x" }', r"got nan \(number\), expected an integer"),
    ],
)
def test_figures_that_cannot_be_used(figure: str, problem: str) -> None:
    text = f'name = "x"\nbase = "mesh"\n[noc]\nhop_cycles = {figure}\n'
    with pytest.raises(DescriptionError, match=problem):
        parse(text, "chip.toml")


def test_a_base_is_overridden() -> None:
    text = 'name = "slow"\nbase = "spinnaker2"\n[noc]\n'
    text += 'hop_cycles = { value = 9, kind = "A", source = "a guess" }\n'
    figures = parse(text, "slow.toml")
    assert (figures.name, figures.family) == ("slow", "spinnaker2")
    assert figures.integer("noc.hop_cycles") == 9
    assert figures.number("noc.clock_mhz") == 300
    assert [row.name for row in figures.assumptions()] == ["noc.hop_cycles"]


def test_pe_cycles_is_an_open_table() -> None:
    text = 'name = "x"\nbase = "spinnaker2"\n[pe.cycles]\n'
    text += 'stdp = { value = 33, kind = "A", source = "a guess" }\n'
    figures = parse(text, "x.toml")
    assert figures.number("pe.cycles.stdp") == 33
    assert "stdp" in figures.names("pe.cycles")[-1]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match=r"cannot be read: No such file or directory"):
        load_file(tmp_path / "absent.toml")
    with pytest.raises(DescriptionError, match=r"cannot be read: Is a directory"):
        load_file(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"name = '\xff'")
    with pytest.raises(DescriptionError, match=r"byte 8 is not UTF-8"):
        load_file(binary)


ODD = st.sampled_from(
    [
        *("", "-1", "0", "1e400", "nan", "-inf", "true", '"x"', "{}", "0.5", "1979-05-27"),
        *("[]", "[[1]]", "[[9, 9]]", "[[1, 1]]", "[1, 7]", "[7, 1]", '[[3, 2, "SE"]]'),
        "1000000000000000000000",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_files_give_description_errors_alone(data: st.DataObject) -> None:
    """Values, lines and single characters are replaced, removed or doubled."""
    way = data.draw(st.sampled_from(["value", "drop", "double", "character", "cut"]))
    if way == "value":
        start, end = data.draw(st.sampled_from(SPOTS))
        text = TEXT[:start] + data.draw(ODD) + TEXT[end:]
    elif way in ("drop", "double"):
        index = data.draw(st.integers(0, len(LINES) - 1))
        copies = LINES[index] * (2 if way == "double" else 0)
        text = "".join([*LINES[:index], copies, *LINES[index + 1 :]])
    elif way == "character":
        at = data.draw(st.integers(0, len(TEXT) - 1))
        text = TEXT[:at] + data.draw(st.characters(codec="utf-8")) + TEXT[at + 1 :]
    else:
        text = TEXT[: data.draw(st.integers(0, len(TEXT)))]
    _loads_or_complains(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SPOTS) - 1), ODD), min_size=2, max_size=5))
def test_several_mutations_at_once(changes: list[tuple[int, str]]) -> None:
    text = TEXT
    for index, value in sorted(dict(changes).items(), reverse=True):
        start, end = SPOTS[index]
        text = text[:start] + value + text[end:]
    _loads_or_complains(text)


def _loads_or_complains(text: str) -> None:
    from chipsim.machine import spinnaker2

    try:
        description = parse(text, "mutated.toml")
    except DescriptionError as error:
        assert error.problems
        return
    if description.family == "spinnaker2":
        machine = spinnaker2.build(description)  # what was accepted can be built
        assert machine.endpoints >= 3


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nbase = "spinnaker2"\n')
    assert load_machine(path).name == "mine"
    path.write_text('name = "edited"\nbase = "spinnaker2"\n')
    assert load_machine(path).name == "edited", "an edited file is read again"
    with pytest.raises(DescriptionError, match="No such file"):
        load_machine(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("base", "chips"),
    [("spinnaker2-48", 48), ("spinnaker2-triads-1x1", 144), ("spinnaker1-torus-6x5", 30)],
)
def test_a_board_of_ones_own_with_faults(base: str, chips: int, tmp_path: Path) -> None:
    path = tmp_path / "lame.toml"
    dead = '[faults]\nchips = { value = [[1, 1]], kind = "M", source = "test of the board" }\n'
    path.write_text(f'name = "lame"\nbase = "{base}"\n{dead}')
    lame, named = load_machine(path), load_machine(base, {"faults.chips": [[1, 1]]})
    assert lame.name == "lame" and lame.chips is not None and named.chips is not None
    assert len(lame.chips) == chips
    assert (lame.chips.alive == named.chips.alive).all() and lame.chips.alive.sum() == chips - 1
    assert (lame.channel_port == named.channel_port).all()


@pytest.mark.parametrize(
    ("name", "near"),
    [("spinaker2", "spinnaker2"), ("msh-8x8", "mesh-WxH"), ("tours-4x4", "torus-WxH")],
)
def test_an_unknown_machine(name: str, near: str) -> None:
    with pytest.raises(MachineError, match=f"unknown machine '{name}'; did you mean '{near}'"):
        load_machine(name)


@pytest.mark.parametrize("name", ["mesh-0x4", "torus-4096x4096"])
def test_sizes_that_cannot_be_built(name: str) -> None:
    with pytest.raises(MachineError, match="expected 1 to 4194304; choose another size"):
        load_machine(name)
