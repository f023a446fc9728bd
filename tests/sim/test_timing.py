"""When handlers end, what is late and what overruns: every figure computed by hand.

At 300 MHz: 500 cycles of tick overhead are 1,666,667 ps, a send's 25 are 83,333 ps. At 150 MHz
twice that. A tick of 10 us has 3,000 cycles at 300 MHz; tick k begins at (k + 1) ticks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.sim.costs import Cost
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Body, scripted_simulation, trace_rows

US = 1_000_000
TICK_US = 10
UNIT = {"unit": Cost(1, "U", "one cycle, for tests")}


def test_time_done_of_a_coroutine(network: str, tmp_path: Path) -> None:
    found = {}
    for level in ("high", "low"):

        def work(pe: Any) -> Any:
            yield pe.next_tick()
            yield pe.compute(synapse=10)
            pe.send("out", [0, 1, 2])

        found[level] = _only_tick(work, network, tmp_path / level, level=level)
    # 500 cycles, 10 x 18 cycles, then three sends of 25.
    assert found["high"]["done_ps"] - found["high"]["start_ps"] == 1_666_667 + 600_000 + 3 * 83_333
    assert found["low"]["done_ps"] - found["low"]["start_ps"] == 3_333_333 + 1_200_000 + 3 * 166_667
    for row in found.values():
        assert (row["cycles"], row["packets_out"], row["packets_in"]) == (755, 3, 0)
        assert row["start_ps"] == 1000 * US
        assert not row["overrun"]


class Work(Kernel):
    """Does units of work, by row and step, and sends keys."""

    operations: ClassVar[tuple[str, ...]] = ("unit",)

    def __init__(self, units: list[list[int]], keys: int = 0) -> None:
        self.units = np.array(units)
        self.keys = keys
        self.plan: Any = None
        self.calls: list[tuple[int, tuple[int, ...], int]] = []
        self.inbox: list[tuple[int, int, int]] = []

    def step(self, call: StepCall) -> None:
        self.calls.append((call.start_ps, tuple(call.rows.tolist()), call.tick))
        call.counts[:, 0] = self.units[call.rows, call.step]
        for position, key in zip(call.inbox.row.tolist(), call.inbox.key.tolist(), strict=True):
            self.inbox.append((int(call.rows[position]), call.tick, key))
        if self.keys:
            position = np.repeat(np.arange(len(call.rows), dtype=np.int32), self.keys)
            call.send(self.plan, position, np.tile(np.arange(self.keys), len(call.rows)))


def stepping(kernel: Kernel, ticks: int) -> Body:
    def body(pe: Any) -> Any:
        yield pe.step(kernel, ticks=ticks)

    return body


def test_time_done_of_a_kernel(network: str, tmp_path: Path) -> None:
    found = {}
    for level in ("high", "low"):
        kernel = Work([[180]], keys=3)
        simulation = scripted_simulation(
            {"a": stepping(kernel, 1), "b": None},
            [Net("out", "a", ("b",), key_bits=2)],
            level=level,
            network=network,
            trace=tmp_path / level,
            costs=UNIT,
        )
        kernel.plan = simulation.send_plan(["out"])
        simulation.bind(kernel, ["a"])
        simulation.run()
        (found[level],) = trace_rows(simulation, tmp_path / level, "ticks")
    # 705 cycles to the first packet, rounded once, then two gaps of 25 cycles.
    assert found["high"]["done_ps"] - found["high"]["start_ps"] == 2_350_000 + 2 * 83_333
    assert found["low"]["done_ps"] - found["low"]["start_ps"] == 4_700_000 + 2 * 166_667
    assert {row["cycles"] for row in found.values()} == {755}


@pytest.mark.parametrize(("transport", "packets"), [("noc_direct", 3), ("router_multicast", 1)])
def test_fan_out_costs_the_sender_packets_by_destination_qpe(
    transport: str, packets: int, network: str, tmp_path: Path
) -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [0, 1])

    sinks = {"b": (2, 1, 0), "c": (2, 1, 1), "d": (3, 1, 0), "e": (1, 1, 1)}
    simulation = scripted_simulation(
        {"a": work, **dict.fromkeys(sinks)},
        [Net("out", "a", tuple(sinks), key_bits=1)],
        places={"a": (1, 1, 0), **sinks},
        transport=transport,  # type: ignore[arg-type]
        network=network,
        trace=tmp_path / "t",
    )
    simulation.run()
    (row,) = trace_rows(simulation, tmp_path / "t", "ticks")
    assert row["packets_out"] == 2 * packets
    assert row["cycles"] == 500 + 2 * packets * 25
    assert row["done_ps"] - row["start_ps"] == 1_666_667 + 2 * packets * 83_333


@pytest.mark.parametrize(
    ("settings", "after_first"),
    [
        ({}, 5 * 83_333),
        # A flit takes 100 cycles: with four sets the fifth packet waits for the first one's end.
        ({"noc.flits_per_cycle": 0.01}, 2 * 333_333),
        ({"noc.flits_per_cycle": 0.01, "pe.tx_sets": 6}, 5 * 83_333),
        ({"noc.flits_per_cycle": 0.01, "pe.tx_sets": 1}, 5 * 333_333),
    ],
    ids=["free", "full", "six sets", "one set"],
)
def test_full_transmit_sets_lengthen_the_handler(
    settings: dict[str, Any], after_first: int, network: str, tmp_path: Path
) -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", range(6))

    row = _only_tick(work, network, tmp_path / "t", settings=settings)
    assert row["done_ps"] - row["start_ps"] == 1_666_667 + 83_333 + after_first
    assert row["cycles"] == 500 + 6 * 25, "waiting for a set is no computing"


def test_work_after_a_send_waits_for_the_send(network: str, tmp_path: Path) -> None:
    def work(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", range(4))
        done = yield pe.compute(synapse=5)
        assert done == pe.simulation.env.now
        pe.send("out", [5])

    row = _only_tick(work, network, tmp_path / "t")
    assert row["done_ps"] - row["start_ps"] == 1_666_667 + 4 * 83_333 + 300_000 + 83_333
    assert row["cycles"] == 500 + 4 * 25 + 90 + 25


def _only_tick(work: Body, network: str, trace: Path, **options: Any) -> dict[str, Any]:
    simulation = scripted_simulation(
        {"a": work, "b": None},
        [Net("out", "a", ("b",), key_bits=3)],
        network=network,
        trace=trace,
        **options,
    )
    simulation.run()
    (row,) = trace_rows(simulation, trace, "ticks")
    return row


def ticking(units: list[int]) -> Body:
    def body(pe: Any) -> Any:
        for count in units:
            yield pe.next_tick()
            yield pe.compute(unit=count)

    return body


def run_busy(
    form: str, units: dict[str, list[int]], network: str, trace: Path
) -> tuple[Simulation, dict[str, list[dict[str, Any]]]]:
    """Run PEs that work so many units in each tick, and return their handlers by PE."""
    ticks = max(map(len, units.values()))
    if form == "coroutines":
        bodies: dict[str, Any] = {name: ticking(row) for name, row in units.items()}
    else:
        kernel = Work(list(units.values()))
        bodies = dict.fromkeys(units, stepping(kernel, ticks))
    simulation = scripted_simulation(
        bodies, network=network, trace=trace, costs=UNIT, tick_us=TICK_US
    )
    if form == "kernel":
        simulation.bind(kernel, list(units))
    simulation.run()
    rows = trace_rows(simulation, trace, "ticks")
    return simulation, {
        name: [row for row in rows if row["pe"] == simulation.endpoint_of[name]] for name in units
    }


FORMS = ("coroutines", "kernel")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("units", "starts", "end", "overruns"),
    [
        # 2,300 of the tick's 3,000 cycles
        ([1800] * 3, [10_000_000, 20_000_000, 30_000_000], 37_666_667, 0),
        # exactly the tick
        ([2500] * 3, [10_000_000, 20_000_000, 30_000_000], 40_000_000, 0),
        # one cycle more: 10,003,333 ps (1,666,667 + 8,336,667 where rounded in two parts)
        ([2501] * 3, [10_000_000, 20_003_333, 30_006_666], 40_009_999, 3),
        # 4,100 cycles, 13,666,667 ps
        ([3600] * 3, [10_000_000, 23_666_667, 37_333_334], 51_000_001, 3),
        # a heavy tick, then light ones: it catches up, and no tick is skipped
        ([6700, 0, 0, 0], [10_000_000, 34_000_000, 35_666_667, 40_000_000], 41_666_667, 2),
        # exactly two ticks each
        (
            [5500] * 4,
            [10_000_000, 30_000_000, 50_000_000, 70_000_000],
            90_000_000,
            4,
        ),
    ],
    ids=["light", "exact", "one more", "heavy", "one heavy", "two ticks"],
)
def test_overruns(
    form: str,
    units: list[int],
    starts: list[int],
    end: int,
    overruns: int,
    network: str,
    tmp_path: Path,
) -> None:
    simulation, rows = run_busy(
        form, {"busy": units, "idle": [0] * len(units)}, network, tmp_path / "t"
    )
    late = rows["busy"]
    slack = len(units) if form == "coroutines" else 0  # each part of a handler is rounded alone
    assert [row["tick"] for row in late] == list(range(len(units)))
    assert [row["start_ps"] for row in late] == pytest.approx(starts, abs=slack)
    assert late[-1]["done_ps"] == pytest.approx(end, abs=slack)
    assert sum(row["overrun"] for row in late) == overruns
    assert simulation.tick_log.overruns == overruns
    # The overrun delays that PE alone.
    assert [row["start_ps"] for row in rows["idle"]] == [
        (k + 1) * TICK_US * US for k in range(len(units))
    ]
    assert not any(row["overrun"] for row in rows["idle"])
    longest = max(row["done_ps"] - (row["tick"] + 1) * TICK_US * US for row in late)
    assert simulation.tick_log.use_max_ps == longest


def test_catching_up_over_many_ticks(network: str, tmp_path: Path) -> None:
    """9.5 ticks of work in tick 0: ticks 1 to 9 follow without a pause, 10 is on time."""
    units = [28_000, *[1000] * 11]
    _, rows = run_busy("kernel", {"busy": units, "idle": [0] * 12}, network, tmp_path / "t")
    late = rows["busy"]
    assert [row["tick"] for row in late] == list(range(12))
    # 28,500 cycles are 95 us; each of the others takes 5 us.
    ends = [105 + 5 * k for k in range(12)]
    starts = [10, *ends[:-1]]
    on_time = [max(start, 10 * (k + 1)) for k, start in enumerate(starts)]
    assert [row["start_ps"] for row in late] == [t * US for t in on_time]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("heavy", "late"), [(0, 0), (3600, 1), (6600, 2), (9600, 3)])
def test_late_packets(form: str, heavy: int, late: int, network: str, tmp_path: Path) -> None:
    """A spike is sent in each tick, 1.75 us after its start; the receiver is heavy in tick 0.

    With 4,100 cycles tick 1 starts at 23.7 us and finds the spike of tick 1 (21.8 us) beside that
    of tick 0; with 7,100 cycles at 33.7 us the one of tick 2 as well.
    """

    def talk(pe: Any) -> Any:
        for k in range(6):
            yield pe.next_tick()
            pe.send("out", [k])

    units = [heavy, *[0] * 6]

    def listen(pe: Any) -> Any:
        for count in units:
            yield pe.next_tick()
            pe.take_packets()
            yield pe.compute(unit=count)

    kernel = Work([units])
    simulation = scripted_simulation(
        {"a": talk, "b": listen if form == "coroutines" else stepping(kernel, 7)},
        [Net("out", "a", ("b",), key_bits=3)],
        network=network,
        trace=tmp_path / "t",
        costs=UNIT,
        tick_us=TICK_US,
    )
    if form == "kernel":
        simulation.bind(kernel, ["b"])
    simulation.run()
    assert simulation.tracer.late["spike"] == late
    rows = trace_rows(simulation, tmp_path / "t")
    assert [row["late"] for row in rows] == [
        row["tick_consumed"] != row["tick_sent"] + 1 for row in rows
    ]
    assert sum(row["late"] for row in rows) == late
    assert len(rows) == 6


def test_packets_received_between_ticks_are_late_only_after_the_next_tick(
    network: str, tmp_path: Path
) -> None:
    """A program that waits for packets has no tick of its own to miss."""

    def talk(pe: Any) -> Any:
        for k in range(3):
            yield pe.next_tick()
            pe.send("out", [k])

    def listen(pe: Any) -> Any:
        yield pe.receive(1)
        yield pe.compute(unit=9000)  # 30 us: the spikes of 21.8 and 31.8 us wait until 41.8 us
        yield pe.receive(2)

    simulation = scripted_simulation(
        {"a": talk, "b": listen},
        [Net("out", "a", ("b",), key_bits=3)],
        network=network,
        trace=tmp_path / "t",
        costs=UNIT,
        tick_us=TICK_US,
    )
    simulation.run()
    rows = trace_rows(simulation, tmp_path / "t")
    assert [(row["tick_sent"], row["tick_consumed"], row["late"]) for row in rows] == [
        (0, 0, False),
        (1, 3, True),
        (2, 3, False),
    ]


def test_a_barrier_masks_ticks_and_costs_its_time(network: str, tmp_path: Path) -> None:
    """Released 10 us after the last has come; ticks in between are masked, not missed."""
    times: list[tuple[str, int, int]] = []

    def body(units: int) -> Body:
        def run(pe: Any) -> Any:
            yield pe.next_tick()
            yield pe.compute(unit=units)
            yield pe.barrier("all")
            times.append((pe.vertex, int(pe.simulation.env.now), pe.tick))
            tick = yield pe.next_tick()
            times.append((pe.vertex, int(pe.simulation.env.now), tick))

        return run

    simulation = scripted_simulation(
        {"a": body(1000), "b": body(11_500)}, network=network, costs=UNIT, tick_us=TICK_US
    )
    simulation.add_barrier("all", ["a", "b"])
    simulation.run()
    # b arrives at 10 + 40 us; released at 60 us, when tick 5 begins, which is masked too.
    assert times == [("a", 60 * US, 5), ("b", 60 * US, 5), ("a", 70 * US, 6), ("b", 70 * US, 6)]
