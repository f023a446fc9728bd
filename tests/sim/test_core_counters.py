"""Every counter of a core, in a scenario in which it is not zero, recomputed by other means.

What is expected comes from a probe's view of the packets, from the programs' own books, from rows
of the trace, or from figures and arithmetic; never from the counters' code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import simpy

from chipsim.machine.library import load_machine
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.mapping import map_application
from chipsim.sim import handlers
from chipsim.sim.clock import TickClock
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.simulation import Simulation
from chipsim.sim.ticks import TickLog
from chipsim.testing.scripted import Scripted, scripted_simulation, trace_rows

TICK_US = 10
TICK_PS = TICK_US * 10**6
HIGH_MHZ, LOW_MHZ = 300, 150
TICK_OVERHEAD, SYNAPSE = 500, 18


def core(simulation: Simulation, vertex: str) -> dict[str, int]:
    """Return a core's counters by name."""
    return {
        row.name: row.value
        for row in simulation.provenance()
        if row.table == "core" and row.part.endswith(f" {vertex}")
    }


def cycles_ps(count: int, mhz: int = HIGH_MHZ) -> int:
    """Return a time of cycles that is a whole number of ps where ``count`` is a multiple of 3."""
    return round(count * 10**6 / mhz)


class Watcher:
    """Sees what is sent, and what is taken with the tick in which it is."""

    def __init__(self) -> None:
        self.sent: dict[tuple[int, int], tuple[int, int]] = {}
        self.taken: list[tuple[int, int, int]] = []

    def on_sends(self, sends: Any) -> None:
        for source, seq, earliest, gap in zip(
            sends.source, sends.seq, sends.earliest_ps, sends.gap_ps, strict=True
        ):
            self.sent[int(source), int(seq)] = int(earliest), int(gap)

    def on_deliveries(self, taken: Any) -> None:
        for source, seq, injected in zip(taken.source, taken.seq, taken.injected_ps, strict=True):
            self.taken.append((int(source), int(seq), int(injected)))


def talk(*bursts: int, net: str = "in") -> Any:
    def body(pe: Any) -> Any:
        for size in bursts:
            yield pe.next_tick()
            pe.send(net, range(size))

    return body


def listen(ticks: int, books: list[Any] | None = None) -> Any:
    """Take what is there at each tick, and keep books of it."""

    def body(pe: Any) -> Any:
        for _ in range(ticks):
            tick = yield pe.next_tick()
            packets = pe.take_packets()
            if books is not None:
                books.append((tick, packets))

    return body


# ------------------------------------------------------------------------------------- packets
def test_transmission_blocked(network: str) -> None:
    """A slow NoC frees the TX registers later than the program fills them."""
    watcher = Watcher()
    simulation = scripted_simulation(
        {"a": talk(9, 3), "b": listen(4)},
        [Net("in", "a", ("b",), key_bits=4)],
        settings={"noc.clock_mhz": 20, "pe.tx_sets": 2, "pe.cycles.send_per_qpe": 3},
        tick_us=TICK_US,
        network=network,
        probes=[watcher],
    )
    simulation.run()
    blocked, last = 0, -1
    for source, seq, injected in sorted(watcher.taken):
        earliest, gap = watcher.sent[source, seq]
        if seq in (0, 9):  # the first of a burst finds an empty script: its gap does not count
            gap = 0
        blocked += injected > max(earliest, last + gap)
        last = injected
    counted = core(simulation, "a")
    assert counted["Times_the_transmission_of_spikes_overran"] == blocked > 5
    assert counted["Packets_sent"] == len(watcher.sent) == 12
    assert core(simulation, "b")["Times_the_transmission_of_spikes_overran"] == 0


@pytest.mark.parametrize("policy", ["drop_count", "overwrite", "stall"])
def test_receive_fifo(network: str, policy: str) -> None:
    bursts = (20, 3, 8, 9)
    books: list[Any] = []
    simulation = scripted_simulation(
        {"a": talk(*bursts), "b": listen(len(bursts) + 2, books)},
        [Net("in", "a", ("b",), key_bits=5)],
        settings={"pe.rx_fifo_packets": 8, "pe.rx_full": policy},
        tick_us=TICK_US,
        network=network,
    )
    simulation.run()
    sizes = [len(packets) for _, packets in books]
    counted = core(simulation, "b")
    assert counted["How many spikes were processed"] == sum(sizes)
    assert counted["Times_the_input_buffer_lost_packets"] == sum(bursts) - sum(sizes)
    assert counted["Max_filled_size_input_buffer"] == 8
    assert counted["Times_the_input_buffer_was_full"] == sum(size == 8 for size in sizes)
    # A take empties a stalled FIFO, so that more comes at once: more than it holds in one tick.
    assert counted["Maximum number of spikes in a timer tick"] == max(sizes)
    lost = {"drop_count": 13, "overwrite": 13, "stall": 0}
    assert sum(bursts) - sum(sizes) == lost[policy]


def test_what_nobody_takes_fills_the_fifo_too() -> None:
    simulation = scripted_simulation(
        {"a": talk(6), "b": listen(1)},
        [Net("in", "a", ("b",), key_bits=3)],
        settings={"pe.rx_fifo_packets": 4},
        tick_us=TICK_US,
    )
    simulation.run()
    for _ in range(2):  # before the run is closed and after it
        counted = core(simulation, "b")
        assert counted["Max_filled_size_input_buffer"] == 4
        assert counted["Times_the_input_buffer_was_full"] == 1
        assert counted["How many spikes were processed"] == 0
        simulation.tracer.finish()


def test_packets_of_several_handlers_add_up_to_a_tick() -> None:
    """Interrupts take packets one by one; what counts is how many from tick to tick."""
    by_tick: Counter[int] = Counter()

    def body(pe: Any) -> Any:
        while sum(by_tick.values()) < 12:
            woken = yield pe.interrupt()
            if woken.cause == "packet":
                by_tick[pe.tick] += len(woken.packets)

    simulation = scripted_simulation(
        {"a": talk(3, 7, 2), "b": body},
        [Net("in", "a", ("b",), key_bits=3)],
        tick_us=TICK_US,
    )
    simulation.run()
    counted = core(simulation, "b")
    assert counted["Maximum number of spikes in a timer tick"] == max(by_tick.values()) == 7
    assert counted["Max_filled_size_input_buffer"] < 7


@pytest.mark.parametrize("busy", ["sender", "receiver"])
def test_late_spikes(network: str, busy: str, tmp_path: Path) -> None:
    """Handlers of up to 3.2 ticks: a sender sends late, a receiver finds what is not yet due."""
    work = (100, 500, 0, 0, 400, 0, 0, 0, 0, 0)

    def loads(who: str) -> tuple[int, ...]:
        return work if who == busy else (0,) * len(work)

    def sender(pe: Any) -> Any:
        for synapses in loads("sender")[:8]:
            yield pe.next_tick()
            pe.work(synapse=synapses)
            pe.send("in", [0, 1])

    def run(trace: Path | None) -> tuple[dict[str, int], list[int]]:
        books: list[Any] = []

        def receiver(pe: Any) -> Any:
            for synapses in loads("receiver"):
                tick = yield pe.next_tick()
                books.append((tick, pe.take_packets()))
                pe.work(synapse=synapses)

        simulation = scripted_simulation(
            {"a": sender, "b": receiver},
            [Net("in", "a", ("b",), key_bits=1)],
            tick_us=TICK_US,
            network=network,
            trace=trace,
        )
        simulation.run()
        off = [tick - sent - 1 for tick, packets in books for sent in packets.tick.tolist()]
        assert core(simulation, "a")["Late spikes"] == 0
        return core(simulation, "b"), off

    counted, off = run(None)
    assert max(off, key=abs) > 1 if busy == "sender" else min(off) < -1
    assert counted["Late spikes"] == sum(ticks != 0 for ticks in off)
    assert counted["Max late spike"] == max(map(abs, off))
    assert run(tmp_path)[0] == counted  # a written trace counts them on another way


def test_keys_that_a_core_does_not_know(network: str) -> None:
    """A routing table sends one of four keys to a core that no net leads to."""
    places = {"a": (0, 0, 1, 0), "b": (0, 0, 2, 1), "other": (0, 0, 3, 1)}
    machine = load_machine("spinnaker1-48")
    assert machine.chips is not None
    application = Application(
        "astray",
        tuple(Vertex(name, fixed=place) for name, place in places.items()),
        (Net("in", "a", ("b",), key_bits=2), Net("out", "b", ("other",))),
        "router_multicast",
    )
    mapping = map_application(application, machine, "sequential").with_tables(None)
    router = int(machine.chips.pool[1])
    assert mapping.tables is not None
    table = mapping.tables[router]
    to_other = next(i for i in range(len(table)) if int(table.net[i]) == 1)
    first = replace(
        table,
        **{
            name: np.concatenate((getattr(table, name)[[to_other]], getattr(table, name)))
            for name in ("key", "mask", "route", "net")
        },
    )
    first.key[0] = mapping.keys["in"].base + 3
    first.mask[0] = 0xFFFFFFFF
    broken = replace(mapping, tables={**mapping.tables, router: first})
    programs = {
        "a": Scripted(lambda pe: talk(4, 4)(pe)),
        "b": Scripted(lambda pe: listen(4)(pe)),
        "other": Scripted(lambda pe: listen(4)(pe)),
    }
    for given, expected in ((mapping, 0), (broken, 2)):
        simulation = Simulation(given, programs, network=network)
        simulation.run()
        counted = core(simulation, "other")
        assert counted["Number of failed pop table searches"] == expected
        assert counted["How many spikes were processed"] == expected
        assert core(simulation, "b")["Number of failed pop table searches"] == 0


# --------------------------------------------------------------------------------------- ticks
def test_overruns_and_the_log_of_missed_deadlines() -> None:
    work = (10, 700, 20, 100, 40, 5, 400, 3)

    def body(pe: Any) -> Any:
        for synapses in work:
            yield pe.next_tick()
            yield pe.compute(synapse=synapses)

    simulation = scripted_simulation({"busy": body}, tick_us=TICK_US)
    simulation.run()
    free, missed, longest = 0.0, [], 0.0
    for tick, synapses in enumerate(work):
        due = (tick + 1) * TICK_PS
        free = max(due, free) + (TICK_OVERHEAD + SYNAPSE * synapses) * 10**6 / HIGH_MHZ
        longest = max(longest, free - due)
        if free > due + TICK_PS:
            missed.append((tick, free, free - due - TICK_PS))
    counted = core(simulation, "busy")
    assert counted["Times_the_timer_tic_over_ran"] == len(missed) > 3
    assert counted["Max_number_of_times_timer_tic_over_ran"] == int(longest // TICK_PS) == 4
    assert counted["Max_time_done_ps"] == pytest.approx(longest, abs=2)
    log = simulation.missed_deadlines()
    assert [entry.tick for entry in log] == [tick for tick, _, _ in missed]
    for entry, (_, end, late) in zip(log, missed, strict=True):
        assert (entry.x, entry.y, entry.part) == (0, 0, "PE(1,1,0) busy")
        assert entry.end_ps == pytest.approx(end, abs=len(work))
        assert entry.late_ps == pytest.approx(late, abs=len(work))


def test_the_log_is_finite_and_the_counter_is_not() -> None:
    from chipsim.sim.handlers import MISSES

    def body(pe: Any) -> Any:
        for _ in range(MISSES + 20):
            yield pe.next_tick()
            pe.work(synapse=1)

    simulation = scripted_simulation({"busy": body}, tick_us=1)
    simulation.run()
    assert core(simulation, "busy")["Times_the_timer_tic_over_ran"] == MISSES + 20
    log = simulation.missed_deadlines()
    assert [entry.tick for entry in log] == list(range(MISSES))


def test_which_misses_are_kept_does_not_depend_on_when_they_are_noticed() -> None:
    """Windows of a trace close handlers earlier than a tick does, and so in another order."""
    random = np.random.default_rng(3)
    ends = random.integers(0, 900, 2 * handlers.MISSES)  # many at one instant, on several cores
    cores = random.permutation(len(ends))
    rows = np.stack([cores, cores % 7, ends, ends + 5], axis=1)
    wanted = sorted(rows.tolist(), key=lambda row: (row[2], row[0]))[: handlers.MISSES]
    for order in (slice(None), slice(None, None, -1), np.argsort(ends, kind="stable")):
        log = TickLog(TickClock(simpy.Environment(), 1000))
        for core, tick, end, late in rows[order].tolist():
            handlers.note_miss(log.totals, core, tick, end, late)
            log.totals[handlers.OVERRUNS] += 1
        kept = sorted(log.missed.tolist(), key=lambda row: (row[2], row[0]))
        assert kept == wanted


# --------------------------------------------------------------------- operations and programs
class Cells(Kernel):
    """Row r charges r + 1 synapses for each packet, and as many other operations."""

    operations: ClassVar[tuple[str, ...]] = ("spike_lookup", "synapse")

    def step(self, call: StepCall) -> None:
        got = np.bincount(call.inbox.row, minlength=len(call.rows))
        call.counts[:, 0] = got
        call.counts[:, 1] = got * (call.rows + 1)


def test_synaptic_events_of_kernels_and_programs() -> None:
    kernel = Cells()

    def step(pe: Any) -> Iterator[Any]:
        yield pe.step(kernel, ticks=4)
        yield pe.next_tick()
        pe.work(synapse=100)
        yield pe.compute(synapse=7, row_setup=3)

    simulation = scripted_simulation(
        {"a": talk(4, 2, 5), "r0": step, "r1": step, "plain": listen(2)},
        [Net("in", "a", ("r0", "r1"), key_bits=3)],
    )
    simulation.bind(kernel, ["r0", "r1"])
    simulation.run()
    for _ in range(2):  # reading the summary's assumptions moves counts on; nothing is lost
        assert core(simulation, "r0")["Total_pre_synaptic_events"] == 11 * 1 + 107
        assert core(simulation, "r1")["Total_pre_synaptic_events"] == 11 * 2 + 107
        assert core(simulation, "plain")["Total_pre_synaptic_events"] == 0
        simulation.charge_kernels()
    assert simulation.costs.used["synapse"] == 11 * 3 + 2 * 107


def test_a_program_may_have_counters_of_its_own() -> None:
    class Saturating(Scripted):
        def counters(self) -> dict[str, int]:
            return {"Times_synaptic_weights_have_saturated": 5}

    simulation = scripted_simulation({"a": Saturating(listen(1)), "b": listen(1)})
    simulation.run()
    assert core(simulation, "a")["Times_synaptic_weights_have_saturated"] == 5
    assert "Times_synaptic_weights_have_saturated" not in core(simulation, "b")


# ------------------------------------------------------------------------------ DMA, levels, NoC
def test_transfers(network: str) -> None:
    ended: Counter[int] = Counter()

    def mover(pe: Any) -> Any:
        memory = pe.simulation.endpoint_of["rows"]
        for count in (2, 5, 1):
            yield pe.next_tick()
            orders = [pe.dma_read(memory, "data", 0, 8, "a read") for _ in range(count)]
            for order in orders:
                yield pe.wait(order)
                ended[int(pe.simulation.env.now) // TICK_PS] += 1

    simulation = scripted_simulation(
        {"mover": mover, "rows": None, "plain": listen(1)},
        places={"rows": (0, 5)},
        tick_us=TICK_US,
        network=network,
    )
    memory = simulation.memory(simulation.endpoint_of["rows"]).sram
    memory.reserve("data", 32)
    memory.map("data", np.zeros(8, dtype=np.uint32))
    simulation.run()
    counted = core(simulation, "mover")
    assert counted["DMA's that were completed"] == sum(ended.values()) == 8
    assert counted["Maximum number of DMAs in a timer tick"] == max(ended.values()) == 5
    assert counted["Memory_packets_sent"] == 8  # a request each
    assert counted["Packets_sent"] == 0
    assert core(simulation, "plain")["DMA's that were completed"] == 0
    assert "Times_the_dma_queue_was_overloaded" not in counted  # no queue is known


@pytest.mark.parametrize("policy", ["low", "high", "auto"])
def test_time_at_clock_levels(policy: str, tmp_path: Path) -> None:
    bursts = (2, 30, 0, 45, 1)

    def work(pe: Any) -> Any:
        for _ in range(len(bursts) + 1):
            yield pe.next_tick()
            yield pe.compute(synapse=9 * len(pe.take_packets()))

    simulation = scripted_simulation(
        {"a": talk(*bursts), "busy": work},
        [Net("in", "a", ("busy",), key_bits=6)],
        settings={"pe.dvfs_threshold_packets": 20},
        level=policy,
        trace=tmp_path,
    )
    simulation.run()
    now = int(simulation.env.now)
    counted = core(simulation, "busy")
    mine = simulation.endpoint_of["busy"]
    ticks = [row for row in trace_rows(simulation, tmp_path, "ticks") if row["pe"] == mine]
    awake = sum(row["done_ps"] - row["start_ps"] for row in ticks)
    cycles = [TICK_OVERHEAD + SYNAPSE * 9 * size for size in (0, *bursts)]
    assert counted["Time_awake_ps"] == awake > 0
    busy = {size: count for size, count in zip((0, *bursts), cycles, strict=True) if size > 20}
    high = {
        "low": (0, 0),
        "high": (now, sum(cycles)),
        "auto": (sum(100_000 + cycles_ps(count) for count in busy.values()), sum(busy.values())),
    }[policy]
    assert counted["Time_at_high_level_ps"] == pytest.approx(high[0], abs=2)
    assert counted["Time_at_low_level_ps"] == now - counted["Time_at_high_level_ps"]
    assert counted["Cycles_at_high_level"] == high[1]
    assert counted["Cycles_at_low_level"] == sum(cycles) - high[1]


def test_occupancy_of_the_noc(network: str, tmp_path: Path) -> None:
    simulation = scripted_simulation(
        {"a": talk(6, 4), "b": listen(3)},
        [Net("in", "a", ("b",), key_bits=3, payload_bits=128)],
        places={"a": (1, 1, 0), "b": (3, 2, 0)},
        tick_us=TICK_US,
        network=network,
        trace=tmp_path,
        trace_level="hops",
    )
    simulation.run()
    now = int(simulation.env.now)
    hops = Counter(row["channel"] for row in trace_rows(simulation, tmp_path, "hops"))
    machine = simulation.machine
    mesh = {n: hops[n] for n in hops if machine.channel_label(n).startswith("noc ")}
    assert len(mesh) == 3
    rows = [row for row in simulation.provenance() if row.table == "noc"]
    for channel, packets in mesh.items():
        part = machine.channel_label(channel)
        counted = {row.name: row.value for row in rows if row.part == part}
        busy = packets * round(10**6 / 300)
        assert counted == {
            "Packets": packets,
            "Flits": packets,
            "Busy_ps": busy,
            "Occupancy_ppm": busy * 10**6 // now,
        }
    assert len({row.part for row in rows}) == len(mesh)  # idle channels are left out
