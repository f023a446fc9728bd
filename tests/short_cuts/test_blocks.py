"""Words that packets bring to a block of memory, with and without the short cut."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.errors import ProgramError
from chipsim.mapping.application import Net
from chipsim.sim.blocks import WordBlock
from chipsim.sim.costs import Cost
from chipsim.sim.program import Kernel, StepCall
from chipsim.sim.sends import SendPlan
from chipsim.testing.scripted import scripted_simulation
from tests.short_cuts.echo import echo_whole

SENT = {"left": np.arange(1, 11, dtype=np.uint32), "right": np.arange(101, 107, dtype=np.uint32)}


def rows_of(words: np.ndarray) -> np.ndarray:
    rows = np.zeros((-(-len(words) // 4), 4), dtype=np.uint32)
    rows.reshape(-1)[: len(words)] = words
    return rows


@pytest.mark.parametrize("short_cuts", [True, False], ids=["short", "long"])
@pytest.mark.parametrize("loses", [False, True], ids=["all", "one lost"])
def test_words_of_two_nets_fill_a_block(network: str, short_cuts: bool, loses: bool) -> None:
    words, found = np.zeros(16, dtype=np.uint32), dict[str, Any]()

    def talk(name: str) -> Any:
        def body(pe: Any) -> Any:
            yield pe.next_tick()
            rows = rows_of(SENT[name])
            keys = np.arange(len(rows))[::-1]
            if loses and name == "left":
                keys = keys[keys != 1]
            pe.send(name, keys, rows[keys])
            if name == "left":
                pe.send("other", [0])

        return body

    def listen(pe: Any) -> Any:
        numbers = [(pe.simulation.net_index[name], *place) for name, place in places.items()]
        block = WordBlock(words, numbers)
        block.begin()
        found["packets"] = yield pe.receive_block(block, 5 if loses else 6)
        found["at"] = int(pe.simulation.env.now)
        found["left"], found["missing"] = block.left, block.first_missing()

    places = {"left": (6, 10), "right": (0, 6)}
    wide: dict[str, Any] = {"key_bits": 2, "payload_bits": 128}
    simulation = scripted_simulation(
        {"a": talk("left"), "b": talk("right"), "c": listen},
        [
            Net("left", "a", ("c",), **wide),
            Net("right", "b", ("c",), **wide),
            Net("other", "a", ("c",), key_bits=2),
        ],
        network=network,
    )
    simulation.short_cuts = short_cuts
    simulation.run()
    assert (simulation.directory is not None) == (short_cuts and network == "compiled")
    expected = np.concatenate([SENT["right"], SENT["left"]])
    if loses:
        expected[10:14] = 0
    assert words.tolist() == expected.tolist()
    assert found["packets"] == (5, 1) if loses else found["packets"] == (6, 1)
    assert (found["left"], found["missing"]) == ((1, 10) if loses else (0, -1))
    core = simulation.pes["c"].core
    assert simulation.cores.packets_in[core] == simulation.cores.fifo_peak[core] == 6 - loses


def test_a_key_beyond_its_net_is_none_of_the_block() -> None:
    block = WordBlock(np.zeros(9, dtype=np.uint32), [(4, 0, 9)])
    assert block.left == 3
    words = np.arange(16, dtype=np.uint32).reshape(4, 4)
    columns: Any = type("Columns", (), {})()
    columns.net, columns.payload = np.array([4, 4, 5, 4], np.int32), words
    columns.key = np.array([0x10, 0x13, 0, 0x12], np.uint32)
    assert block.take(columns) == 2
    assert block.arrays[2].tolist() == [0, 1, 2, 3, 0, 0, 0, 0, 12]
    assert (block.left, block.first_missing()) == (1, 4)


class Echo(Kernel):
    """Sends ``count`` keys from ``first`` on in every step, whole or in parts."""

    operations: ClassVar[tuple[str, ...]] = ("unit",)

    def __init__(self, first: int, count: int, room: int) -> None:
        self.offset = np.arange(first, first + count, dtype=np.int64)
        self.plan: SendPlan | None = None
        self._room = room

    def room(self) -> int:
        return self._room

    def whole(self, form: Any, local: int, tick: int, now: int) -> bool:
        assert self.plan is not None
        echo_whole(form, tick, now, self.plan.form, self.offset)
        return True

    def step(self, call: StepCall) -> None:
        call.counts[:, 0] = 3
        assert self.plan is not None
        call.send(self.plan, np.zeros(len(self.offset), np.int32), self.offset)


def run_echo(kernel: Echo, ticks: int = 2) -> Any:
    simulation = scripted_simulation(
        {"a": lambda pe: iter_step(pe, kernel, ticks), "b": hear},
        [Net("out", "a", ("b",), key_bits=7)],
        costs={"unit": Cost(1, "U", "one cycle, for tests")},
    )
    kernel.plan = simulation.send_plan(["out"])
    simulation.bind(kernel, ["a"])
    simulation.run()
    return simulation


def iter_step(pe: Any, kernel: Echo, ticks: int) -> Any:
    yield pe.step(kernel, ticks=ticks)


def hear(pe: Any) -> Any:
    yield pe.next_tick()


def test_packets_that_the_network_must_grow_for() -> None:
    kernels = [Echo(0, 100, room) for room in (100, 0)]
    whole, parts = (run_echo(kernel, ticks=3) for kernel in kernels)
    assert whole.group_of(kernels[0], whole.pes["a"]).whole.handlers == 3
    assert parts.group_of(kernels[1], parts.pes["a"]).whole is None
    for name in ("sent", "injected", "delivered"):
        counts = [getattr(s.network.counters(), name) for s in (whole, parts)]
        assert counts[0] == counts[1] > 0
    assert whole.cores.data.tolist() == parts.cores.data.tolist()


def test_a_key_outside_its_block_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^net out: got key offset 128, expected 0 to 127"):
        run_echo(Echo(120, 9, 9))


def test_more_packets_than_room_are_refused() -> None:
    with pytest.raises(ProgramError, match=r"^kernel Echo: .* its room\(\) of 2; raise it$"):
        run_echo(Echo(0, 3, 2))
