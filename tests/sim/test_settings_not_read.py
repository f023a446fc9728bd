"""Figures that are set and that nothing in a run reads are named in its summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chipsim.cli.main import main
from chipsim.cli.summary import render
from chipsim.machine.library import load_machine
from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.testing.scripted import scripted_simulation

MESSAGE = "nothing in this run read it"


def summary(machine: str, settings: Mapping[str, Any], barrier: bool = False) -> dict[str, Any]:
    """Return the summary of a PE that sends to another of its chip."""

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.work(neuron_lif=3)
        if barrier:
            yield pe.barrier("both")
        pe.send("net", range(4))

    def listen(pe: Any) -> Any:
        yield pe.next_tick()
        if barrier:
            yield pe.barrier("both")
        yield pe.next_tick()
        pe.take_packets()

    simulation = scripted_simulation(
        {"a": talk, "b": listen}, [Net("net", "a", ("b",), key_bits=2)], machine=machine,
        settings=settings, transport="router_multicast", tick_us=100,
    )  # fmt: skip
    if barrier:
        simulation.add_barrier("both", ["a", "b"])
    simulation.run()
    return account(simulation)


WITHOUT_EFFECT = {
    "spinnaker2": {
        "links.short.latency_ns": 300,
        "router.default_route": "drop",
        "pe.barrier_us": 50,
        "pe.cycles.row_setup": 99,
        "pe.irq_entry_cycles": 99,
        "dma.setup_cycles": 99,
        "energy.dram_byte_pj": 9,
    },
    "spinnaker2-48": {
        "links.long.latency_ns": 300,
        "links.short.credit_ns": 300,
    },
    "spinnaker1": {"dma.noc_packets": 1, "dma.word_ns": 30, "links.short.latency_ns": 30},
}


COSTS = {"pe.cycles.row_setup": "cycles.row_setup", "pe.irq_entry_cycles": "cycles.irq_entry"}
"""Names that costs have in summaries."""


@pytest.mark.parametrize("machine", list(WITHOUT_EFFECT))
def test_what_nothing_reads_is_named_and_changes_nothing(machine: str) -> None:
    usual = summary(machine, {})
    assert "settings_not_read" not in usual
    found = summary(machine, WITHOUT_EFFECT[machine])
    names = found.pop("settings_not_read")
    assert set(names) == {COSTS.get(figure, figure) for figure in WITHOUT_EFFECT[machine]}
    assert found == usual


@pytest.mark.parametrize(
    ("machine", "settings", "barrier"),
    [
        ("spinnaker2", {"noc.inject_cycles": 9}, False),
        ("spinnaker2", {"noc.hop_cycles": 9}, False),
        ("spinnaker2", {"pe.cycles.neuron_lif": 99}, False),
        ("spinnaker2", {"pe.barrier_us": 50}, True),
        ("spinnaker2", {"energy.router_lookup_pj": 9}, False),
        ("spinnaker1", {"pe.cycles.neuron_lif": 99}, False),
    ],
)
def test_what_acts_is_not_named(machine: str, settings: Mapping[str, Any], barrier: bool) -> None:
    found = summary(machine, settings, barrier)
    assert "settings_not_read" not in found
    assert "U" in {row["kind"] for row in found["assumptions"]}
    assert found != summary(machine, {}, barrier)


def test_it_stands_in_the_printed_summary() -> None:
    assert MESSAGE in render("a run", summary("spinnaker2", {"links.short.latency_ns": 300}))
    assert MESSAGE not in render("a run", summary("spinnaker2", {"noc.inject_cycles": 9}))


def test_traffic_names_it_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["traffic", "--machine", "spinnaker2", "--rate", "0.001", "--cycles", "100"]
    assert main([*arguments, "--set", "dma.setup_cycles=99", "--set", "noc.hop_cycles=6"]) == 0
    told = capsys.readouterr().err
    assert "rests on no such figure: dma.setup_cycles" in told
    assert "noc.hop_cycles" not in told


def test_loading_a_machine_reads_no_links_that_it_lacks() -> None:
    figures = load_machine("spinnaker2-triads-1x1").description.reads
    assert "links.long.latency_ns" in figures
    assert not any(n.startswith("links.") for n in load_machine("spinnaker2").description.reads)
