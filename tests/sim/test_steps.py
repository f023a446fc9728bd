"""Batched steps: one kernel object for n cores, or n objects for one core each, give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.costs import Cost
from chipsim.sim.program import Kernel, StepCall
from chipsim.testing.scripted import Body, scripted_simulation, trace_rows

CORES = 7
TICKS = 12
COSTS = {"unit": Cost(1, "U", "one cycle, for tests")}


class Cells(Kernel):
    """A leaky cell per core: adds what arrives in float32, fires, and tells all others.

    Its work depends on what it received, so handlers differ; ``heavy`` adds cycles.
    """

    operations: ClassVar[tuple[str, ...]] = ("unit",)

    def __init__(self, first: int, rows: int, heavy: dict[tuple[int, int], int]) -> None:
        self.first = first
        self.value = np.linspace(0.2, 1.4, CORES, dtype=np.float32)[first : first + rows].copy()
        self.heavy = heavy
        self.plan: Any = None
        self.calls: list[tuple[int, int]] = []
        self.order: list[tuple[int, int, int]] = []

    def step(self, call: StepCall) -> None:
        self.calls.append((call.tick, len(call.rows)))
        rows = call.rows
        value = self.value[rows] * np.float32(0.75) + np.float32(0.31)
        incoming = np.ascontiguousarray(call.inbox.payload[:, :1]).view(np.float32)[:, 0]
        np.add.at(value, call.inbox.row, incoming)
        for position, key in zip(call.inbox.row.tolist(), call.inbox.key.tolist(), strict=True):
            self.order.append((self.first + int(rows[position]), call.tick, key))
        fires = np.flatnonzero(value > 1).astype(np.int32)
        call.counts[:, 0] = 10 * np.bincount(call.inbox.row, minlength=len(rows))
        for position, row in enumerate(rows.tolist()):
            call.counts[position, 0] += self.heavy.get(
                (self.first + row, int(call.step[position])), 0
            )
        if len(fires):
            words = (value[fires] * np.float32(0.1)).view(np.uint32)
            call.send(
                self.plan, fires, np.zeros(len(fires), np.int64), words, self.first + rows[fires]
            )
        value[fires] = 0
        self.value[rows] = value


def run_cells(
    together: bool,
    heavy: dict[tuple[int, int], int],
    network: str,
    trace: Path,
    tick_us: float,
) -> tuple[Any, list[Cells]]:
    names = [f"c{i}" for i in range(CORES)]
    if together:
        kernels = [Cells(0, CORES, heavy)]
        of = dict.fromkeys(names, kernels[0])
    else:
        kernels = [Cells(i, 1, heavy) for i in range(CORES)]
        of = dict(zip(names, kernels, strict=True))

    def body(name: str) -> Body:
        def run(pe: Any) -> Any:
            yield pe.step(of[name], ticks=TICKS)

        return run

    nets = [
        Net(f"from {name}", name, tuple(n for n in names if n != name), "spike", 0, 32)
        for name in names
    ]
    simulation = scripted_simulation(
        {name: body(name) for name in names},
        nets,
        network=network,
        trace=trace,
        costs=COSTS,
        tick_us=tick_us,
    )
    if together:
        simulation.bind(kernels[0], names)
        kernels[0].plan = simulation.send_plan([f"from {name}" for name in names])
    else:
        for name in names:
            simulation.bind(of[name], [name])
            of[name].plan = simulation.send_plan([f"from {name}"])
    simulation.run()
    return simulation, kernels


HEAVY = {
    "all on time": {},
    "one late core": {(2, 3): 9000},
    "several, one very late": {(0, 1): 3000, (4, 2): 20_000, (4, 3): 1, (6, 10): 30_000},
}


@pytest.mark.parametrize("heavy", HEAVY.values(), ids=HEAVY.keys())
def test_groups_of_one_and_of_all_give_the_same_bits(
    heavy: dict[tuple[int, int], int], network: str, tmp_path: Path
) -> None:
    one, [whole] = run_cells(True, heavy, network, tmp_path / "one", 10)
    many, single = run_cells(False, heavy, network, tmp_path / "many", 10)
    assert whole.value.tobytes() == b"".join(kernel.value.tobytes() for kernel in single)
    assert sorted(whole.order) == sorted(row for kernel in single for row in kernel.order)
    assert len(whole.order) > 50
    for name in ("packets", "ticks", "channels"):
        rows = trace_rows(one, tmp_path / "one", name)
        assert rows == trace_rows(many, tmp_path / "many", name)
        for part in (tmp_path / "one" / f"{name}.parquet").iterdir():
            same = tmp_path / "many" / f"{name}.parquet" / part.name
            assert part.read_bytes() == same.read_bytes()
    assert account(one) == account(many)
    assert one.tick_log.overruns == many.tick_log.overruns
    assert (one.tick_log.overruns > 0) == bool(heavy)


def test_a_late_core_runs_alone_and_the_others_together(network: str, tmp_path: Path) -> None:
    _, [kernel] = run_cells(True, {(2, 3): 4000}, network, tmp_path / "t", 10)
    # 4,500 cycles are 15 us: core 2 is late for tick 4 alone, and back for tick 5.
    expected = [(tick, CORES) for tick in range(4)] + [(4, CORES - 1), (4, 1)]
    expected += [(tick, CORES) for tick in range(5, TICKS)]
    assert kernel.calls == expected


def test_cores_that_join_later_run_with_those_that_are_there(network: str) -> None:
    """Two programs step one kernel over different spans; where both are due they share a call."""

    class Count(Kernel):
        def __init__(self) -> None:
            self.calls: list[tuple[int, list[int], list[int]]] = []

        def step(self, call: StepCall) -> None:
            self.calls.append((call.tick, call.rows.tolist(), call.step.tolist()))

    kernel = Count()

    def early(pe: Any) -> Any:
        yield pe.step(kernel, ticks=4)
        yield pe.step(kernel)

    def later(pe: Any) -> Any:
        yield pe.next_tick()
        yield pe.next_tick()
        yield pe.step(kernel, ticks=4)

    simulation = scripted_simulation({"a": early, "b": later}, network=network)
    simulation.bind(kernel, ["a", "b"])
    simulation.run()
    assert kernel.calls == [
        (0, [0], [0]),
        (1, [0], [1]),
        (2, [0, 1], [2, 0]),
        (3, [0, 1], [3, 1]),
        (4, [0, 1], [0, 2]),
        (5, [1], [3]),
    ]
