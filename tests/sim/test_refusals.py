"""What programs do wrong is refused with what, where, got, expected and the fix."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
import pytest

from chipsim.errors import (
    ChipsimError,
    DescriptionError,
    NetworkError,
    ProgramError,
    SramError,
    StalledError,
    UnknownFigureError,
)
from chipsim.mapping.application import Net
from chipsim.mapping.mapping import map_application
from chipsim.sim.program import Kernel, Program, StepCall
from chipsim.sim.simulation import Simulation
from chipsim.testing.scripted import Body, scripted_simulation

PLACES = {"a": (1, 1, 0), "b": (2, 1, 0)}
NETS = [Net("out", "a", ("b",), key_bits=3, payload_bits=32)]


def idle(pe: Any) -> Any:
    yield pe.next_tick()


def run(body: Body | Program, network: str, **options: Any) -> Simulation:
    simulation = scripted_simulation(
        {"a": body, "b": idle}, NETS, places=PLACES, network=network, **options
    )
    simulation.run()
    return simulation


def yields(make: Any) -> Body:
    def body(pe: Any) -> Any:
        yield make(pe)

    return body


def acts(action: Any) -> Body:
    def body(pe: Any) -> Any:
        yield pe.next_tick()
        action(pe)

    return body


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda pe: 5, "yielded 5 (int)"),
        (lambda pe: None, "yielded None (NoneType)"),
        (lambda pe: pe.next_tick, "(method)"),
        (lambda pe: pe.simulation.env.timeout(1), "(Timeout)"),
        (lambda pe: [pe.next_tick()], "(list)"),
        (lambda pe: pe.take_packets(), "(Deliveries)"),
    ],
    ids=["number", "nothing", "forgotten call", "SimPy event", "list", "action"],
)
def test_a_wrong_yield_is_refused_with_the_right_form(make: Any, shown: str, fast: str) -> None:
    with pytest.raises(ProgramError) as caught:
        run(yields(make), fast)
    text = str(caught.value)
    assert text.startswith("program Scripted on PE(1,1,0) (a) yielded ")
    assert shown in text
    assert text.endswith(
        "expected an effect of the PE, for example\n"
        "    yield pe.next_tick()\n"
        "    yield pe.compute(synapse=3)\n"
        "    packets = yield pe.receive(count=1)"
    )


def test_a_program_without_a_yield_is_refused(fast: str) -> None:
    class Forgot(Program):
        def run(self, pe: Any) -> Any:
            pe.next_tick()

    with pytest.raises(
        ProgramError,
        match=r"^program Forgot on PE\(1,1,0\) \(a\): run\(pe\) returned None \(NoneType\), "
        r"expected a generator: a method that contains a yield, for example\n    def run",
    ):
        run(Forgot(), fast)


WRONG = {
    "unlisted operation": (
        acts(lambda pe: pe.compute(synapses=3)),
        r"operation 'synapses' has no cost; did you mean 'synapse'\?; list it under \[pe.cycles\] "
        r"of the chip's description or in the application's costs",
    ),
    "negative count": (
        acts(lambda pe: pe.compute(synapse=-1)),
        r"operation 'synapse': got a count of -1, expected >= 0",
    ),
    "unknown net": (
        acts(lambda pe: pe.send("ouch", [0])),
        r"PE\(1,1,0\) \(a\): no net 'ouch' starts here; known: out",
    ),
    "offset above": (
        acts(lambda pe: pe.send("out", [3, 8])),
        r"net out: got key offset 8, expected 0 to 7; give the net more key bits",
    ),
    "offset below": (
        acts(lambda pe: pe.send("out", [-1])),
        r"net out: got key offset -1, expected 0 to 7",
    ),
    "payload too wide": (
        acts(lambda pe: pe.send("out", [1], np.array([1.0]))),
        r"net out: got a payload of 2 words, expected at most 1; declare the net with "
        r"payload_bits=64",
    ),
    "payload of another length": (
        acts(lambda pe: pe.send("out", [1, 2], [1, 2, 3])),
        r"net out: got 3 payload values for 2 packets; expected the same number for each",
    ),
    "payload too large": (
        acts(lambda pe: pe.send("out", [1, 2], [5, 2**32])),
        r"net out: got payload values from 5 to 4294967296, expected whole numbers of 32 bit",
    ),
    "payload of text": (
        acts(lambda pe: pe.send("out", [1], ["a"])),
        r"net out: got a payload of <U1, expected whole numbers of 32 bit, float32 or float64",
    ),
    "receive nothing": (
        yields(lambda pe: pe.receive(0)),
        r"pe.receive: got count=0, expected at least 1",
    ),
    "unknown barrier": (
        yields(lambda pe: pe.barrier("al")),
        r"no barrier 'al'; did you mean 'all'\?; declare it with simulation.add_barrier",
    ),
    "barrier of others": (
        yields(lambda pe: pe.barrier("all")),
        r"barrier 'all': a is no member \(members: 1\); add it where the barrier is declared",
    ),
    "unbound kernel": (
        yields(lambda pe: pe.step(Kernel())),
        r"PE\(1,1,0\) \(a\): kernel Kernel is not bound to this PE; call simulation.bind\(kernel, "
        r"vertices\) before the run",
    ),
    "empty transfer": (
        acts(lambda pe: pe.dma_read(pe.simulation.endpoint_of["b"], "data", 0, 0, "weights")),
        r"weights: a transfer of no words; leave it out",
    ),
    "no such memory": (
        acts(lambda pe: pe.dma_read(99_999, "data", 0, 1, "weights")),
        r"spinnaker2: memory of endpoint 99999: expected 0 to 154; simulation.endpoint_of gives",
    ),
    "memory of an idle PE": (
        acts(lambda pe: pe.dma_read(40, "data", 0, 1, "weights")),
        r"PE\(4,2,0\) has no memory that could be read or written: no program runs there; give its "
        r"vertex one",
    ),
    "memory of the host": (
        acts(lambda pe: pe.dma_read(154, "data", 0, 1, "weights")),
        r"HOST\(5,7\) has no memory",
    ),
    "unknown region": (
        acts(lambda pe: pe.dma_read(pe.simulation.endpoint_of["b"], "date", 0, 1, "weights")),
        r"PE\(2,1,0\) \(b\): no mapped region 'date'; did you mean 'data'\?",
    ),
    "outside the region": (
        yields(
            lambda pe: pe.wait(pe.dma_read(pe.simulation.endpoint_of["b"], "data", 3, 2, "weights"))
        ),
        r"PE\(2,1,0\) \(b\): words 3 to 5 lie outside region 0 of 4 words",
    ),
}


@pytest.mark.parametrize(("body", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_actions(body: Body, message: str, network: str) -> None:
    simulation = scripted_simulation(
        {"a": body, "b": idle}, NETS, places=PLACES, sram={"b": {"data": 16}}, network=network
    )
    simulation.add_barrier("all", ["b"])
    simulation.pes["b"].sram.map("data", np.zeros(4, dtype=np.uint32))
    with pytest.raises(ChipsimError, match=f"^{message}"):
        simulation.run()


def test_a_kernel_with_an_unlisted_operation(fast: str) -> None:
    class Odd(Kernel):
        operations: ClassVar[tuple[str, ...]] = ("synaps",)

    simulation = scripted_simulation({"a": idle}, network=fast)
    with pytest.raises(ProgramError, match=r"operation 'synaps' has no cost; did you mean 'syn"):
        simulation.bind(Odd(), ["a"])


def test_no_step_is_no_effect(fast: str) -> None:
    kernel = Kernel()
    simulation = scripted_simulation({"a": yields(lambda pe: pe.step(kernel, 0))}, network=fast)
    simulation.bind(kernel, ["a"])
    with pytest.raises(ProgramError, match=r"pe.step: got ticks=0, expected at least 1"):
        simulation.run()


def test_a_kernel_s_key_outside_its_block(fast: str) -> None:
    class Wide(Kernel):
        plan: Any = None

        def step(self, call: StepCall) -> None:
            call.send(self.plan, np.zeros(1, np.int32), np.array([9]))

    kernel = Wide()
    simulation = scripted_simulation(
        {"a": yields(lambda pe: pe.step(kernel)), "b": idle}, NETS, network=fast
    )
    simulation.bind(kernel, ["a"])
    kernel.plan = simulation.send_plan(["out"])
    with pytest.raises(ProgramError, match=r"net out: got key offset 9, expected 0 to 7; give the"):
        simulation.run()


def test_a_relayed_key_that_does_not_fit(fast: str) -> None:
    """A key of a larger block would be cut in silence."""

    def relay(pe: Any) -> Any:
        packets = yield pe.receive()
        pe.send("narrow", packets.key)

    simulation = scripted_simulation(
        {"a": acts(lambda pe: pe.send("wide", [5])), "b": relay, "c": None},
        [Net("wide", "a", ("b",), key_bits=3), Net("narrow", "b", ("c",), key_bits=2)],
        network=fast,
    )
    with pytest.raises(ProgramError, match=r"net narrow: got key offset 5, expected 0 to 3"):
        simulation.run()


def test_sram_overflow_says_who_wants_what_and_what_is_held(fast: str) -> None:
    class Greedy(Program):
        def sram(self) -> dict[str, int]:
            return {"weights": 60_000, "state": 7_000, "record": 600}

        def run(self, pe: Any) -> Any:
            yield pe.next_tick()

    with pytest.raises(
        SramError,
        match=re.escape(
            "PE(1,1,0) (a): region 'record' wants 600 bytes, 584 of 67584 are left (held: weights "
            "60000, state 7000); use fewer neurons per PE or a smaller buffer"
        ),
    ):
        run(Greedy(), fast)
    with pytest.raises(SramError, match=r"region 'data' holds 8 bytes, the array mapped there has"):
        simulation = scripted_simulation({"a": idle}, sram={"a": {"data": 8}}, network=fast)
        simulation.pes["a"].sram.map("data", np.zeros(3, dtype=np.uint32))


def test_a_simulation_of_something_else(fast: str) -> None:
    with pytest.raises(UnknownFigureError, match=r"gives no figure 'pe.levels.start'.*add it"):
        scripted_simulation({"a": idle}, machine="mesh-2x2", network=fast)
    simulation = scripted_simulation({"a": idle}, network=fast)
    mapping = map_application(simulation.mapping.application, simulation.machine, "sequential")
    program = simulation.pes["a"].program
    with pytest.raises(ProgramError, match=r"^programs for unknown vertices: 'aa'; did you mean"):
        Simulation(mapping, {"aa": program}, network=fast)
    with pytest.raises(NetworkError, match=r"^unknown network 'simpi'; did you mean 'simpy'\?"):
        Simulation(mapping, {"a": program}, network="simpi")
    with pytest.raises(DescriptionError, match=r"got 'medium'.*known: auto, high, low"):
        Simulation(mapping, {"a": program}, network=fast, level="medium")


def test_a_stalled_run_says_who_waits_for_what(network: str) -> None:
    def waits(pe: Any) -> Any:
        yield pe.receive(3)

    def arrives(pe: Any) -> Any:
        yield pe.next_tick()
        pe.send("out", [1, 2])
        yield pe.barrier("all")

    def reads(pe: Any) -> Any:
        yield pe.wait(lost)

    simulation = scripted_simulation(
        {"a": arrives, "b": waits, "c": reads, "d": idle},
        [Net("out", "a", ("b",), key_bits=2)],
        places={"a": (1, 1, 0), "b": (2, 1, 0), "c": (3, 1, 0), "d": (4, 1, 0)},
        sram={"d": {"data": 400}},
        network=network,
    )
    simulation.add_barrier("all", ["a", "b", "d"])
    words = np.zeros(100, dtype=np.uint32)
    simulation.pes["d"].sram.map("data", words)
    ends = simulation.endpoint_of
    lost = simulation.transfers.new(True, ends["c"], ends["d"], 0, 0, words, "weights of layer 2")
    with pytest.raises(StalledError) as caught:
        simulation.run()
    # d's handler of tick 0 ends after 500 cycles, a's after two sends more.
    assert str(caught.value) == (
        "at 1001833333 ps every program waits and nothing is under way: "
        "PE(1,1,0) (a) waits for barrier 'all': 2 of 3 absent: b, d; "
        "PE(2,1,0) (b) waits for 3 packets in its receive FIFO, which holds 2; "
        "PE(3,1,0) (c) waits for weights of layer 2: words 0 to 99 are missing"
    ).replace("1001833333", str(int(simulation.env.now)))
    assert 1_001_833_333 <= simulation.env.now <= 1_002_000_000
