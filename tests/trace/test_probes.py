from __future__ import annotations

import doctest

import pytest

from chipsim.errors import TraceError
from chipsim.trace import probes, recorder
from chipsim.trace.probes import METHODS, Probes


def test_a_probe_may_look_and_may_replace() -> None:
    seen = []

    class Look:
        def on_sends(self, sends: list[int]) -> None:
            seen.append(sends)

    class Drop:
        def on_sends(self, sends: list[int]) -> list[int]:
            return sends[1:]

        def on_deliveries(self, deliveries: list[int]) -> list[int]:
            return []

    made = Probes([Look(), Drop(), Look()])
    assert made.sends([1, 2]) == [2]
    assert seen == [[1, 2], [2]]
    assert made.deliveries([5]) == []


def test_a_probe_may_ask_for_the_simulation() -> None:
    class Asks:
        def on_start(self, simulation: object) -> None:
            self.simulation = simulation

    asks = Asks()
    Probes([asks]).start("the simulation")
    assert asks.simulation == "the simulation"


def test_ticks_and_phases_reach_those_that_ask() -> None:
    class Both:
        def __init__(self) -> None:
            self.seen: list[tuple[object, ...]] = []

        def on_tick(self, *what: object) -> None:
            self.seen.append(what)

        def on_phase(self, *what: object) -> None:
            self.seen.append(what)

    both = Both()
    made = Probes([both])
    made.tick(3, 3000)
    made.phase("forward", 0, 3000)
    assert both.seen == [(3, 3000), ("forward", 0, 3000)]


def test_without_probes_nothing_is_called() -> None:
    made = Probes()
    assert [getattr(made, name) for name in METHODS] == [()] * len(METHODS)
    sends = object()
    assert made.sends(sends) is sends


def test_misspelt_and_empty_probes_are_refused() -> None:
    class Misspelt:
        def on_send(self, sends: object) -> None:
            """Never called."""

    with pytest.raises(TraceError, match=r"Misspelt: unknown method on_send; did you mean 'on_s"):
        Probes([Misspelt()])
    with pytest.raises(TraceError, match=r"probe object: got an object without any of on_start"):
        Probes([object()])


@pytest.mark.parametrize("module", [probes, recorder])
def test_examples_in_docstrings(module: object) -> None:
    failed, tried = doctest.testmod(module, extraglobs={"np": __import__("numpy")})
    assert tried > 0
    assert failed == 0
