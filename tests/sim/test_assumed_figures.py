"""Every assumed figure (kind A) changes a result when it is set, and shows where it was used.

For each one there is a scenario in which it matters. The scenario is run with the shipped figure
and with another value: results must differ, the first run must list the figure as assumed and the
second as set by the user. What cannot be changed says why. A figure that is added without a line
here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from chipsim.errors import ChipsimError
from chipsim.machine.library import load_machine
from chipsim.machine.load import load_shipped
from chipsim.mapping.application import Net
from chipsim.sim.account import account, assumptions
from chipsim.sim.simulation import Simulation
from chipsim.testing.congestion import congestion
from chipsim.testing.scripted import scripted_simulation

TICK_US = 20
Settings = Mapping[str, Any]
Scenario = Callable[[str, Settings], Simulation]


def listen(ticks: int) -> Any:
    def body(pe: Any) -> Any:
        for _ in range(ticks):
            yield pe.next_tick()
            pe.record("times", pe.take_packets().time_ps)

    return body


def talk(*nets: str, count: int = 8, ticks: int = 2) -> Any:
    def body(pe: Any) -> Any:
        for _ in range(ticks):
            yield pe.next_tick()
            for net in nets:
                pe.send(net, range(count))

    return body


def spikes(machine: str, settings: Settings, **options: Any) -> Simulation:
    """Many PEs of a chip send to a few, directly and by the packet router."""
    sources = [f"s{i}" for i in range(12)]
    sinks = ("near", "far", "wide")
    transports = ("noc_direct", "router_multicast")
    if machine == "spinnaker1":
        sources, transports = sources[:10], ("router_multicast",)
    nets = [
        Net(f"{name} {way}", name, sinks, key_bits=5, transport=way)  # type: ignore[arg-type]
        for name in sources
        for way in transports
    ]
    bodies = {name: talk(*(n.name for n in nets if n.source == name), count=20) for name in sources}
    return scripted_simulation(
        {**bodies, **{name: listen(4) for name in sinks}},
        nets,
        machine=machine,
        settings=settings,
        places={} if machine == "spinnaker1" else {"far": (7, 6, 0), "wide": (5, 3, 1)},
        sram={name: {"recording": 60_000} for name in sinks},
        tick_us=TICK_US,
        **options,
    )


def detours(machine: str, settings: Settings) -> Simulation:
    """Every QPE sends to the one across the packet router's hole, so that all detours are used."""
    places = {"west": (3, 3, 0), "east": (5, 4, 0), "south": (4, 2, 0), "north": (4, 5, 0)}
    places |= {"edge": (6, 3, 0), "corner": (7, 5, 0), "low": (7, 2, 0), "mid": (5, 5, 0)}
    names = list(places)
    nets = [Net(f"{a} to {b}", a, (b,), key_bits=3) for a in names for b in names if a != b]

    def body(name: str) -> Any:
        def run(pe: Any) -> Any:
            yield pe.next_tick()
            for net in nets:
                if net.source == name:
                    pe.send(net.name, range(4))
            yield pe.next_tick()
            pe.record("times", pe.take_packets().time_ps)

        return run

    return scripted_simulation(
        {name: body(name) for name in names}, nets, machine=machine, settings=settings,
        places=places, sram={name: {"recording": 20_000} for name in names}, tick_us=TICK_US,
    )  # fmt: skip


def across(
    machine: str, settings: Settings, packet: str = "mc", straight: bool = True
) -> Simulation:
    """Two PEs send a burst to another chip each; ``straight``: over two links in one direction."""
    chip = load_machine(machine, settings)
    assert chip.chips is not None
    home = 0
    border = chip.chips.layout.long[:, 0]
    if border.any():  # the first link to another board
        home = int(np.flatnonzero(border)[0])
    there = int(chip.chips.neighbour[home, 0])
    if straight and not border.any():
        there = int(chip.chips.neighbour[there, 0])
    pes = chip.pes()

    def first(number: int, of: int) -> tuple[int, ...]:
        end = int(pes[chip.endpoint_chip[pes] == of][number])
        columns = (chip.endpoint_x, chip.endpoint_y, chip.endpoint_index)
        return (*(int(column[end]) for column in columns), of)

    nets = [Net(f"from {i}", f"a{i}", ("b",), key_bits=5, packet=packet) for i in range(4)]  # type: ignore[arg-type]
    made = scripted_simulation(
        {**{f"a{i}": talk(f"from {i}", count=30) for i in range(4)}, "b": listen(5)},
        nets,
        machine=chip,
        places={**{f"a{i}": first(4 * i, home) for i in range(4)}, "b": first(0, there)},
        sram={"b": {"recording": 60_000}},
        transport="router_multicast",
        tick_us=TICK_US,
    )
    programs = {pe.vertex: pe.program for pe in made.pe_list}
    return Simulation(made.mapping.with_tables("best"), programs, tick_us=TICK_US)


def software(machine: str, settings: Settings) -> Simulation:
    """Every operation of the chip's software, an interrupt, a barrier and ticks."""

    def work(pe: Any) -> Any:
        yield pe.next_tick()
        figures = pe.simulation.machine.description
        names = [name.removeprefix("pe.cycles.") for name in figures.names("pe.cycles")]
        pe.work(**{n: 10 for n in names if n not in ("tick_overhead", "send_per_qpe")})
        pe.send("net", range(3))
        yield pe.barrier("all")
        yield pe.next_tick()
        pe.send("net", range(3))

    def wake(pe: Any) -> Any:
        got = 0
        while got < 3:
            woken = yield pe.interrupt(tick=False)
            got += len(woken.packets)
        yield pe.barrier("all")
        yield pe.next_tick()
        pe.record("now", np.array([pe.tick]))

    simulation = scripted_simulation(
        {"a": work, "b": wake},
        [Net("net", "a", ("b",), key_bits=2)],
        machine=machine,
        settings=settings,
        sram={"b": {"recording": 64}},
        transport="router_multicast",
        tick_us=100,
    )
    simulation.add_barrier("all", ["a", "b"])
    return simulation


def shipped_tick(machine: str, settings: Settings) -> Simulation:
    return scripted_simulation({"a": listen(2)}, machine=machine, settings=settings,
                               sram={"a": {"recording": 64}})  # fmt: skip


def memory(machine: str, settings: Settings) -> Simulation:
    """Transfers from DRAM and from another PE's SRAM, one of them unaligned."""
    places = {"dram": (0, 0, 19)} if machine == "spinnaker1" else {"dram": (0, 5)}
    targets = ("dram",) if machine == "spinnaker1" else ("dram", "other")

    def mover(pe: Any) -> Any:
        yield pe.next_tick()
        ends = [pe.simulation.endpoint_of[name] for name in targets]
        orders = [pe.dma_read(end, "data", 0, 64, "a read") for end in ends for _ in range(6)]
        orders += [pe.dma_read(end, "data", 1, 61, "an unaligned read") for end in ends]
        for order in orders:
            yield pe.wait(order)

    bodies: dict[str, Any] = {"mover": mover, "dram": None}
    if len(targets) > 1:
        bodies["other"] = listen(1)
    simulation = scripted_simulation(
        bodies,
        machine=machine,
        settings=settings,
        places=places,
        sram={"other": {"data": 256, "recording": 64}} if len(targets) > 1 else {},
        transport="router_multicast",
        tick_us=TICK_US,
    )
    for name in targets:
        store = simulation.memory(simulation.endpoint_of[name]).sram
        if "data" not in store.regions:
            store.reserve("data", 256)
        store.map("data", np.arange(64, dtype=np.uint32))
    return simulation


def host(machine: str, settings: Settings) -> Simulation:
    """The host writes into a PE, which waits until it sees the words."""

    def body(pe: Any) -> Any:
        other = pe.simulation.endpoint_of["other"]
        yield pe.wait(
            pe.simulation.host.write(other, "data", 0, np.ones(64, np.uint32), "from host")
        )

    simulation = scripted_simulation(
        {"a": body, "other": listen(1)}, machine=machine, settings=settings,
        sram={"other": {"data": 256, "recording": 64}}, tick_us=TICK_US,
    )  # fmt: skip
    simulation.memory(simulation.endpoint_of["other"]).sram.map("data", np.zeros(64, np.uint32))
    return simulation


def jammed(machine: str, settings: Settings) -> Simulation:
    """SpiNNaker1's congested link; runs as it is made."""
    return congestion(settings, ticks=1)


def typed(packet: str) -> Scenario:
    def scenario(machine: str, settings: Settings) -> Simulation:
        return across(machine, settings, packet, straight=False)

    return scenario


FLOOD = {"pe.cycles.send_per_qpe": 1}
AUTO = {"pe.dvfs": "auto"}
PHASED = {"pe.timer_phase": "random"}
SLOTS = {"links.short.fifo_packets": 2, "links.long.fifo_packets": 2}
AGAIN = {"router.reinjection": True, "router.reinject_queue_packets": 4096}
DROPPING = {"router.blocked_policy": "drop", "links.short.fifo_packets": 1}
ROUND = {**DROPPING, "router.emergency": True}
TURNS = [[3, 2, "SE"], [3, 5, "NE"], [5, 2, "SW"], [6, 2, "SE"], [6, 5, "NE"], [5, 5, "NW"]]

CASES: dict[str, dict[str, tuple[Scenario, object, Settings]]] = {
    "spinnaker2": {
        "noc.inject_cycles": (spikes, 9, {}),
        "noc.detour_turns": (detours, TURNS, {}),
        "noc.avoided_turns": (detours, [], {}),
        "noc.credit_cycles": (spikes, 40, {}),
        "router.issue_buffer_packets": (spikes, 1, {}),
        "router.credit_cycles": (spikes, 60, {}),
        "router.blocked_policy": (spikes, "drop", {**FLOOD, "router.wait1_cycles": 1}),
        "router.wait1_cycles": (spikes, 0, {**FLOOD, "router.blocked_policy": "drop"}),
        "pe.irq_entry_cycles": (software, 600, {}),
        "pe.timer_spread": (spikes, 0.7, PHASED),
        "pe.barrier_us": (software, 250, {}),
        "pe.dvfs_threshold_packets": (spikes, 1000, AUTO),
        "pe.rx_fifo_packets": (spikes, 16, {}),
        "pe.levels.start": (spikes, "low", {}),
        **{
            f"pe.cycles.{name}": (software, 111, {})
            for name in (
                "tick_overhead", "spike_lookup", "spike_lookup_step", "row_setup", "send_per_qpe",
                "record_word",
            )
        },
        "dma.setup_cycles": (memory, 333, {}),
        "dma.max_outstanding": (memory, 1, {}),
        "dma.sram_access_cycles": (memory, 400, {}),
        "dma.unaligned": (memory, "error", {}),
        "dram.efficiency": (memory, 0.2, {}),
        "dram.latency_ns": (memory, 900, {}),
        "host.latency_us": (host, 7, {}),
        "energy.noc_bit_hop_pj": (spikes, 0.3, {}),
        "energy.router_lookup_pj": (spikes, 100, {}),
        "energy.dram_byte_pj": (memory, 10, {}),
    },
    "spinnaker2-48": {
        "router.default_route": (across, "drop", {}),
        "router.emergency": (across, True, DROPPING),
        "router.wait2_cycles": (across, 3, ROUND),
        "router.c2c_latency_cycles": (typed("c2c"), 40, {}),
        "router.nn_latency_cycles": (typed("nn"), 40, {}),
        "links.short.latency_ns": (across, 300, {}),
        "links.short.credit_ns": (across, 2000, SLOTS),
        "links.short.fifo_packets": (across, 1, {}),
        "links.short.error_rate": (across, 0.4, {}),
        "energy.link_bit_pj": (across, 2, {}),
    },
    "spinnaker2-triads-1x1": {
        "links.long.latency_ns": (across, 500, {}),
        "links.long.credit_ns": (across, 2000, SLOTS),
        "links.long.fifo_packets": (across, 1, {}),
    },
    "spinnaker1": {
        "noc.hop_cycles": (spikes, 40, {}),
        "noc.credit_cycles": (spikes, 400, {}),
        "router.credit_cycles": (spikes, 60, {}),
        "pe.app_data_kb": (shipped_tick, 32, {}),
        "pe.tick_us": (shipped_tick, 500, {}),
        "pe.irq_entry_cycles": (software, 600, {}),
        "pe.timer_spread": (spikes, 0.7, PHASED),
        "pe.barrier_us": (software, 250, {}),
        **{
            f"pe.cycles.{name}": (software, 111, {})
            for name in (
                "tick_overhead", "spike_lookup_step", "row_setup", "neuron_lif", "send_per_qpe",
                "record_word",
            )
        },
        "dma.setup_cycles": (memory, 333, {}),
        "dma.noc_packets": (memory, 1, {}),
    },
    "spinnaker1-48": {
        "router.input_packets": (jammed, 1, {}),
        "router.reinject_read_ns": (jammed, 5_000, AGAIN),
        "router.reinject_interval_ns": (jammed, 20_000, AGAIN),
        "router.reinject_queue_packets": (jammed, 1, {"router.reinjection": True,
                                                      "router.reinject_interval_ns": 20_000}),
        "links.short.latency_ns": (across, 300, {}),
        "links.short.credit_ns": (across, 900, {}),
    },
    "spinnaker1-torus-12x12": {
        "links.long.latency_ns": (across, 500, {}),
        "links.long.credit_ns": (across, 9000, {}),
    },
}  # fmt: skip

FIXED = {
    "spinnaker2": {
        "floor.attachment": "the nearest router is the only rule there is",
        "noc.virtual_channels": "the networks have one",
    },
    "spinnaker1": {
        "dma.bytes_per_flit": "transfers count in flits of 16 byte",
        "host.latency_us": "no packet of SpiNNaker1 carries the host's 128-bit flits",
    },
}
"""What has no other value that could be set, or nothing that rests on it, and why."""


REFUSING = {"dma.unaligned"}
"""Figures whose other value makes a run an error."""


def family(machine: str) -> str:
    return machine.split("-")[0]


@cache
def shipped(name: str) -> frozenset[str]:
    return frozenset(row.name for row in load_shipped(name).provenance() if row.kind == "A")


def result(simulation: Simulation) -> dict[str, Any]:
    """Run to the end and return everything that the model says of the run, assumptions aside."""
    if not int(simulation.env.now):
        simulation.run()
    found = account(simulation)
    del found["assumptions"]
    return {
        **found,
        "counters": simulation.provenance(),
        "records": [
            [(tick, values.tolist()) for tick, values in pe.recordings.get(name, [])]
            for pe in simulation.pe_list
            for name in ("times", "now")
        ],
    }


def figures_of(simulation: Simulation) -> dict[str, str]:
    """Return the kinds of the listed figures by name."""
    rows = assumptions(simulation)
    return {row["name"].removeprefix("pe.").replace("irq_entry_cycles", "irq_entry"): row["kind"]
            for row in rows}  # fmt: skip


def short(figure: str) -> str:
    """Return the name under which a run's summary lists a figure, shortened as above."""
    if figure == "pe.irq_entry_cycles":
        return "cycles.irq_entry"
    return figure.removeprefix("pe.")


@pytest.mark.parametrize("name", ["spinnaker2", "spinnaker1"])
def test_no_assumed_figure_is_left_out(name: str) -> None:
    tested = {figure for machine, cases in CASES.items() if family(machine) == name
              for figure in cases}  # fmt: skip
    assert shipped(name) == tested | FIXED[name].keys()
    assert not tested & FIXED[name].keys()


@pytest.mark.filterwarnings("ignore:.*can deadlock:chipsim.machine.parts.DeadlockWarning")
@pytest.mark.parametrize(
    ("machine", "figure"), [(machine, figure) for machine, c in CASES.items() for figure in c]
)
def test_changing_it_changes_the_result(machine: str, figure: str) -> None:
    scenario, value, settings = CASES[machine][figure]
    assumed = {name: given for name, given in settings.items() if name != figure}
    usual = scenario(machine, assumed)
    before = result(usual)
    assert figures_of(usual)[short(figure)] == "A"
    try:
        changed = scenario(machine, {**assumed, figure: value})
        after = result(changed)
    except ChipsimError as error:
        assert figure in REFUSING and figure in str(error)  # the run ends, and says why
        return
    assert figures_of(changed)[short(figure)] == "U"
    assert after != before


@pytest.mark.parametrize(
    ("name", "figure", "value"),
    [
        ("spinnaker2", "floor.attachment", "farthest"),
        ("spinnaker2", "noc.virtual_channels", 2),
        ("spinnaker1", "dma.bytes_per_flit", 32),
    ],
)
def test_what_cannot_be_changed_is_refused(name: str, figure: str, value: object) -> None:
    assert figure in FIXED[name]
    with pytest.raises(ChipsimError, match=figure):
        load_machine(name, {figure: value})


ORDINARY: dict[str, Scenario] = {
    "spinnaker2": spikes,
    "spinnaker2-48": across,
    "spinnaker1-48": across,
}
"""A run of each kind of machine that nothing was set for."""

IN_CONGESTION = {
    "spinnaker2": {"router.blocked_policy"},
    "spinnaker2-48": {"router.blocked_policy", "router.credit_cycles", "noc.credit_cycles"},
    "spinnaker1-48": set(),
}
"""What acts where packets wait for each other, which few do there; each has a line in ``CASES``."""

ENOUGH = {"pe.app_data_kb": 61}
"""Another value than in ``CASES``, with which these runs still find room."""


def figure_of(listed: str) -> str:
    """Return the figure that a summary lists under a name."""
    if listed == "cycles.irq_entry":
        return "pe.irq_entry_cycles"
    return f"pe.{listed}" if listed.startswith("cycles.") else listed


@pytest.mark.filterwarnings("ignore:.*can deadlock:chipsim.machine.parts.DeadlockWarning")
@pytest.mark.parametrize("machine", list(ORDINARY))
def test_what_an_ordinary_summary_lists_acts(machine: str) -> None:
    values = {f: value for m, cases in CASES.items() if family(m) == family(machine)
              for f, (_, value, _) in cases.items()}  # fmt: skip
    scenario = ORDINARY[machine]
    usual = scenario(machine, {})
    before = result(usual)
    listed = {figure_of(name) for name, kind in listing(usual).items() if kind == "A"}
    listed -= FIXED[family(machine)].keys()
    assert len(listed) > 8
    without_effect = {
        name
        for name in listed
        if result(scenario(machine, {name: ENOUGH.get(name, values[name])})) == before
    }
    assert without_effect == IN_CONGESTION[machine]


def listing(simulation: Simulation) -> dict[str, str]:
    """Return the kinds of the figures in a summary by the names that they have there."""
    return {row["name"]: row["kind"] for row in assumptions(simulation)}
