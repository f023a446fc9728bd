from __future__ import annotations

import json

from chipsim.machine import describe
from chipsim.machine.library import list_machines, load_machine
from chipsim.machine.model import Machine


def test_text_names_blocks_clocks_and_every_figure(chip: Machine) -> None:
    text = describe.render(chip)
    for row in chip.description.provenance():
        assert f"  {row.name} " in text
        assert row.source in text
    for line in (
        "  PEs              152",
        "  router          400 MHz",
        "  NoC hop [ps]                        16667",
        "  NoC payload per link [Gbit/s]       38.4",
        "  look-ups [million/s]                400.0",
        "  y=7  . S S S S H H .",
        "  y=4  S Q Q Q R Q Q S",
        "  y=1  B Q Q Q Q Q Q Q",
        "  y=0  o P P S S S S .",
        "  A  assumption: nothing published was found",
    ):
        assert line in text, line


def test_json_is_plain_and_counts_no_reads(chip: Machine) -> None:
    machine = load_machine("spinnaker2")
    before = machine.description.reads
    facts = describe.as_json(machine)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["counts"]["routers"] == 38
    assert facts["counts"]["packet routers"] == 1
    hop = next(row for row in facts["figures"] if row["name"] == "noc.hop_cycles")
    assert hop["value"] == 5
    assert (hop["unit"], hop["kind"]) == ("cycles", "D")
    assert machine.description.reads == before


def test_synthetic_machines_have_no_floor_plan() -> None:
    facts = describe.as_json(load_machine("torus-4x4"))
    assert facts["floor"] == []
    assert "unbounded at the far end" in describe.render(load_machine("torus-4x4"))
    assert "routers          1\n" in describe.render(load_machine("mesh-1x1"))


def test_settings_show_as_the_users() -> None:
    text = describe.render(load_machine("spinnaker2", {"noc.hop_cycles": "6"}))
    assert "set by the user; was 5 (D)" in text
    assert "  U  set by the user (1)" in text


def test_the_list_of_machines() -> None:
    names = [name for name, _ in list_machines()]
    assert names == [
        *("spinnaker2", "spinnaker2-48", "spinnaker2-triads-WxH"),
        *("spinnaker1", "spinnaker1-48", "spinnaker1-torus-WxH"),
        *("mesh-WxH", "torus-WxH", "hex-torus-WxH", "PATH.toml"),
    ]
    assert all(about for _, about in list_machines())
