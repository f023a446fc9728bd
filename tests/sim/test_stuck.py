"""Stuck programs: they do nothing from a tick on, and the run says who they are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.errors import StalledError
from chipsim.mapping.application import Net
from chipsim.sim.account import account
from chipsim.sim.program import Kernel, StepCall
from chipsim.testing.scripted import scripted_simulation


class Count(Kernel):
    """Counts the ticks of its rows."""

    operations: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.ticks = [0, 0]

    def step(self, call: StepCall) -> None:
        for row in call.rows.tolist():
            self.ticks[row] += 1


def test_a_stuck_program_sends_nothing_from_its_tick_on(network: str) -> None:
    def talk(pe: Any) -> Any:
        for k in range(6):
            yield pe.next_tick()
            pe.send("out", [k])

    simulation = scripted_simulation(
        {"a": talk, "b": None},
        [Net("out", "a", ("b",), key_bits=3)],
        places={"a": (1, 1, 0), "b": (2, 1, 0)},
        settings={"faults.stuck_pes": [[1, 1, 0]], "faults.stuck_at_tick": 4},
        network=network,
    )
    with pytest.raises(StalledError, match=r"PE\(1,1,0\) \(a\) .* stuck since tick 4"):
        simulation.run()
    summary = account(simulation)
    assert summary["packets"]["spike"] == 4
    assert summary["faults"]["stuck PEs"] == 1
    assert summary["faults"]["stuck programs"] == [simulation.pes["a"].label]


def test_a_stuck_row_of_a_kernel(network: str) -> None:
    kernel = Count()

    def body(pe: Any) -> Any:
        for _ in range(2):
            yield pe.step(kernel, ticks=4)
        yield pe.barrier("end")

    simulation = scripted_simulation(
        {"a": body, "b": body},
        places={"a": (1, 1, 0), "b": (2, 1, 0)},
        settings={"faults.stuck_pes": [[2, 1, 0]], "faults.stuck_at_tick": 6},
        network=network,
    )
    simulation.bind(kernel, ["a", "b"])
    simulation.add_barrier("end", ["a", "b"])
    with pytest.raises(StalledError, match=r"\(b\) waits for nothing: its program is stuck") as e:
        simulation.run()
    assert "barrier 'end': 1 of 2 absent: b" in str(e.value)
    assert kernel.ticks == [8, 6]


def test_who_misses_a_stuck_one_names_it() -> None:
    def wait(pe: Any) -> Any:
        yield pe.receive(1, on_stall=lambda pe: ValueError("word 7 is missing"))

    def talk(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [0])

    simulation = scripted_simulation(
        {"a": talk, "b": wait},
        [Net("out", "a", ("b",))],
        places={"a": (1, 1, 0), "b": (2, 1, 0)},
        settings={"faults.stuck_pes": [[1, 1, 0]]},
    )
    with pytest.raises(StalledError, match=r"\(a\) is stuck .*: word 7 is missing"):
        simulation.run()


def test_drawn_ones_are_the_same_for_the_same_seed() -> None:
    def body(pe: Any) -> Any:
        for _ in range(3):
            yield pe.next_tick()

    names = [f"v{i}" for i in range(20)]
    told = []
    for seed in (5, 5, 6):
        simulation = scripted_simulation(
            dict.fromkeys(names, body),
            settings={"faults.random_stuck_pes": 60, "faults.seed": seed},
        )
        with pytest.raises(StalledError) as error:
            simulation.run()
        told.append(str(error.value))
        hung = [pe.core for pe in simulation.pe_list if pe.hung()]
        assert not np.isin(hung, [pe.core for pe in simulation.pe_list if pe.finished]).any()
    assert told[0] == told[1] != told[2]
