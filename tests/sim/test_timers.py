"""Timers that do not tick all at once: phases, drift, and kernels' rows at their own times."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.errors import DescriptionError
from chipsim.mapping.application import Net
from chipsim.sim.costs import Cost
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import scripted_simulation, trace_rows

US = 1_000_000
TICK_US = 10
UNIT = {"unit": Cost(1, "U", "one cycle, for tests")}
NAMES = [f"v{i}" for i in range(6)]


class Ring(Kernel):
    """Each row spends units and sends one key to the next; what it finds is written down."""

    operations: ClassVar[tuple[str, ...]] = ("unit",)

    def __init__(self, units: np.ndarray) -> None:
        self.units = units
        self.plan: Any = None
        self.calls: list[tuple[int, int, tuple[int, ...]]] = []
        self.found: list[tuple[int, int, int]] = []

    def step(self, call: StepCall) -> None:
        self.calls.append((call.start_ps, call.tick, tuple(call.rows.tolist())))
        call.counts[:, 0] = self.units[call.rows, call.step]
        for position, key in zip(call.inbox.row.tolist(), call.inbox.key.tolist(), strict=True):
            self.found.append((int(call.rows[position]), call.tick, key))
        position = np.arange(len(call.rows), dtype=np.int32)
        call.send(self.plan, position, call.step % 8)


NETS = [Net(f"n{i}", NAMES[i], (NAMES[(i + 1) % 6],), key_bits=3) for i in range(6)]


def ring(
    units: np.ndarray, grouped: bool = True, barrier: bool = False, **options: Any
) -> tuple[Simulation, list[Ring]]:
    """Run the ring as one kernel of six rows, or as six of one row."""
    ticks = units.shape[1]
    parts = [NAMES] if grouped else [[name] for name in NAMES]
    kernels = [Ring(units[[NAMES.index(name) for name in part]]) for part in parts]
    kernel_of = {name: kernels[i] for i, part in enumerate(parts) for name in part}

    def body(name: str) -> Any:
        def run(pe: Any) -> Any:
            if barrier:
                yield pe.barrier("start")
            yield pe.step(kernel_of[name], ticks=ticks)

        return run

    simulation = scripted_simulation(
        {name: body(name) for name in NAMES}, NETS, costs=UNIT, tick_us=TICK_US, **options
    )
    for kernel, part in zip(kernels, parts, strict=True):
        kernel.plan = simulation.send_plan([f"n{NAMES.index(name)}" for name in part])
        simulation.bind(kernel, part)
    if barrier:
        simulation.add_barrier("start", NAMES)
    simulation.run()
    return simulation, kernels


LIGHT = np.full((6, 4), 100)


def starts(kernel: Ring, row: int) -> list[int]:
    return [time for time, _, rows in kernel.calls if row in rows]


def test_tdma_phases_are_slots_in_the_order_of_the_cores(network: str) -> None:
    simulation, (kernel,) = ring(LIGHT, network=network, timers={"phase": "tdma", "spread": 0.6})
    for row in range(6):  # a slot is a microsecond: 0.6 x 10 us / 6
        assert starts(kernel, row) == [(10 * (k + 1) + row) * US for k in range(4)]
    assert simulation.tick_log.overruns == 0


def test_random_phases_are_drawn_with_the_seed() -> None:
    drawn = []
    for seed in (1, 1, 2):
        simulation, _ = ring(LIGHT, timers={"phase": "random", "spread": 0.5, "seed": seed})
        phases = simulation.cores.offset_ps - TICK_US * US
        assert (phases >= 0).all()
        assert (phases < TICK_US * US // 2).all()
        drawn.append(phases.tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 6


def test_drift_adds_up_tick_by_tick_and_ends_at_a_barrier(network: str) -> None:
    simulation, (kernel,) = ring(LIGHT, network=network, timers={"drift_ppm": 5000.0})
    period = simulation.cores.period_ps.tolist()
    assert max(abs(p - TICK_US * US) for p in period) <= 0.005 * TICK_US * US
    assert len(set(period)) == 6
    for row in range(6):
        assert starts(kernel, row) == [10 * US + k * period[row] for k in range(4)]
    aligned, (kernel,) = ring(
        LIGHT, network=network, barrier=True, timers={"drift_ppm": 5000.0, "phase": "zero"}
    )
    first = {starts(kernel, row)[0] for row in range(6)}
    assert len(first) == 1, "the line that releases the barrier sets all timers"
    assert [starts(kernel, row)[1] - min(first) for row in range(6)] == (
        aligned.cores.period_ps.tolist()
    )


HEAVY = LIGHT.copy()
HEAVY[2, 0] = 7000  # v2 overruns two ticks
HEAVY[4, 1] = 3000


@pytest.mark.parametrize(
    "timers",
    [
        {"phase": "random", "spread": 1.0},
        {"phase": "tdma", "spread": 0.9},
        {"drift_ppm": 20000.0},
        {"phase": "random", "drift_ppm": 20000.0, "seed": 3},
    ],
    ids=["random", "tdma", "drift", "both"],
)
def test_rows_together_and_alone_and_both_networks_agree(
    timers: dict[str, object], tmp_path: Path
) -> None:
    """Late and drifting rows are calls with fewer rows; the bits do not depend on the grouping."""
    seen = []
    for network in ("compiled", "simpy"):
        for grouped in (True, False):
            place = tmp_path / f"{network}-{grouped}"
            simulation, kernels = ring(HEAVY, grouped, timers=timers, network=network, trace=place)
            found = sorted(
                (row + number, tick, key)
                for number, kernel in enumerate(kernels)
                for row, tick, key in kernel.found
            )
            rows = [trace_rows(simulation, place, name) for name in ("ticks", "packets")]
            ticks = sorted(rows[0], key=lambda row: (row["pe"], row["tick"]))
            seen.append((found, ticks, rows[1], simulation.tick_log.overruns))
    assert seen[0][3] > 0
    assert all(other == seen[0] for other in seen[1:])


def test_coroutines_tick_by_their_own_timers(network: str) -> None:
    times: dict[str, list[int]] = {name: [] for name in NAMES}

    def body(pe: Any) -> Any:
        for _ in range(3):
            yield pe.next_tick()
            times[pe.vertex].append(int(pe.simulation.env.now))

    simulation = scripted_simulation(
        dict.fromkeys(NAMES, body),
        network=network,
        tick_us=TICK_US,
        timers={"phase": "tdma", "spread": 0.6, "drift_ppm": 100.0},
    )
    simulation.run()
    period = simulation.cores.period_ps.tolist()
    assert [times[name] for name in NAMES] == [
        [(10 + i) * US + k * period[i] for k in range(3)] for i in range(6)
    ]


def test_what_the_figures_say() -> None:
    settings = {"pe.timer_phase": "tdma", "pe.timer_spread": 0.6}
    _, (kernel,) = ring(LIGHT, settings=settings)
    assert starts(kernel, 5)[0] == 15 * US
    assert ring(LIGHT)[0].timers is None
    with pytest.raises(DescriptionError, match="phas: unknown; did you mean 'phase'"):
        ring(LIGHT, timers={"phas": "tdma"})
    with pytest.raises(DescriptionError, match="timer_phase"):
        ring(LIGHT, timers={"phase": "tmda"})
