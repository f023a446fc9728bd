"""What nothing reads is refused when it is set; everything else is named where it is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chipsim
from chipsim.errors import DescriptionError
from chipsim.machine.documented import DOCUMENTED, refusal
from chipsim.machine.families import FAMILIES
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_shipped, shipped
from chipsim.machine.schema import spec_of

TABLES = ("pe.cycles.", "floor.", "faults.")
"""Tables that are read as a whole, or by names put together from parts."""
DECLARED = {"families.py", "schema.py", "checks.py", "documented.py"}
"""Where figures are only declared or compared with each other."""

PAIRS = [(name, figure) for name in shipped() for figure in DOCUMENTED[name]]


def quoted() -> list[re.Pattern[str]]:
    """Return the texts of the simulator's code that have a dot, as patterns."""
    files = Path(chipsim.__file__).parent.rglob("*.py")
    code = "\n".join(f.read_text(encoding="utf-8") for f in files if f.name not in DECLARED)
    found = set(re.findall(r'"([a-z](?:[\w.]|\{[^{}"]*\})*\.[\w.{}]+)"', code))
    return [re.compile(re.sub(r"\\\{.*?\\\}", r"\\w+", re.escape(text))) for text in sorted(found)]


def settable(name: str) -> set[str]:
    """Return a description's figures that can take another value, whole tables left out."""
    schema, found = FAMILIES[name], set()
    for figure in load_shipped(name).names():
        spec = spec_of(schema, figure)
        assert spec is not None
        single = len(spec.choices) == 1 or (spec.form == "integer" and spec.low == spec.high)
        if not single and not figure.startswith(TABLES):
            found.add(figure)
    return found


@pytest.mark.parametrize("name", shipped())
def test_what_is_not_documented_only_is_read_somewhere(name: str) -> None:
    patterns = quoted()
    unnamed = {f for f in settable(name) if not any(p.fullmatch(f) for p in patterns)}
    shared = {"packet.mc_bits"}  # SpiNNaker1's builder reads it, SpiNNaker2's does not
    assert unnamed - shared == DOCUMENTED[name].keys() - shared
    assert ("packet.mc_bits" in DOCUMENTED[name]) == (name == "spinnaker2")


@pytest.mark.parametrize(("name", "figure"), PAIRS)
def test_setting_it_is_refused(name: str, figure: str) -> None:
    value = load_shipped(name).peek(figure)
    why = refusal(name, figure)
    assert why is not None and "nothing in the model reads it" in why
    with pytest.raises(DescriptionError, match=re.escape(f"{figure}: {why}")):
        load_machine(name, {figure: value})


@pytest.mark.parametrize(("name", "figure"), PAIRS)
def test_what_the_refusal_names_can_be_set(name: str, figure: str) -> None:
    named = re.findall(r"\b[a-z]+(?:\.[a-z_]+)+[a-z0-9_]*\b", DOCUMENTED[name][figure])
    known = load_shipped(name).names()
    for other in named:
        if other not in ("mapping.transport", "energy.pe_cycle_", "power.pe_sleep_", "pe.cycles."):
            assert other in known or any(figure.startswith(other) for figure in known), other
            assert refusal(name, other) is None


def test_a_file_may_give_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nbase = "spinnaker2"\ntitle = "mine"\n[pe]\n'
        'banks = { value = 8, kind = "A", source = "for the record" }\n'
    )
    assert load_machine(str(path)).description.peek("pe.banks") == 8


def test_all_refusals_come_at_once() -> None:
    with pytest.raises(DescriptionError) as error:
        load_machine("spinnaker2", {"pe.banks": 2, "links.short.gbps": 3, "noc.hop_cycles": "x"})
    assert len(error.value.problems) == 3
