"""Strategies by name, by entry point and as plain functions; routers that meet what cannot be."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from chipsim import registry
from chipsim.errors import MappingError, PluginError
from chipsim.machine.model import Machine
from chipsim.machine.route import Route
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Name, Net, Transport, Vertex
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import sequential
from chipsim.mapping.routing import default
from tests.mapping.helpers import machine, replicas


def backwards(
    application: Application, machine: Machine, rng: np.random.Generator
) -> dict[Name, int]:
    """A placer of a user's own: the last PEs first."""
    pes = machine.pes().tolist()[::-1]
    return {vertex.name: pes[i] for i, vertex in enumerate(application.vertices)}


def test_a_function_is_a_strategy() -> None:
    mapping = map_application(replicas(2), machine("spinnaker2"), backwards, default.route)
    assert mapping.placement["optimiser"] == machine("spinnaker2").pes()[-1]
    assert mapping.placer.endswith(":backwards")
    assert mapping.router == "chipsim.mapping.routing.default:route"


def stumbles(
    application: Application, machine: Machine, rng: np.random.Generator
) -> dict[Name, int]:
    """A placer with a mistake."""
    return {vertex.name: 1 // 0 for vertex in application.vertices}


def lost(
    application: Application,
    placement: Mapping[Name, int],
    machine: Machine,
    rng: np.random.Generator,
) -> dict[Name, tuple[Route, ...]]:
    """A router with a mistake."""
    return {net.name: () for net in placement}  # type: ignore[attr-defined]


def test_a_strategy_that_fails_is_named_with_the_place() -> None:
    with pytest.raises(PluginError, match=r"placer '.*:stumbles' failed on application ") as found:
        map_application(replicas(2), machine("spinnaker2"), stumbles, "default")
    assert "ZeroDivisionError: integer division or modulo by zero (" in str(found.value)
    assert "test_strategies.py, line " in str(found.value)
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    with pytest.raises(PluginError, match=r"router '.*:lost' failed .*AttributeError"):
        map_application(replicas(2), machine("spinnaker2"), "paper", lost)


def test_an_error_of_chipsim_passes_through() -> None:
    def refuses(*_: object) -> dict[Name, int]:
        raise MappingError("mine", ["there is no mapping"])

    with pytest.raises(MappingError, match="there is no mapping"):
        map_application(replicas(2), machine("spinnaker2"), refuses, "default")


def test_entry_points_join_and_cannot_take_a_built_in_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def entries(group: str) -> dict[str, EntryPoint]:
        mine = "chipsim.mapping.placement.sequential:place"
        return {
            name: EntryPoint(name, value, group)
            for name, value in (("mine", mine), ("paper", mine), ("broken", "no.such.module:f"))
            if group == "chipsim.placers"
        }

    monkeypatch.setattr(registry, "entries", entries)
    found = strategies.names("placer")
    assert found == sorted({*strategies.BUILTIN["placer"], "broken", "mine"})
    assert strategies.names("router") == sorted(strategies.BUILTIN["router"])
    assert strategies.placer("mine") is sequential.place
    assert strategies.placer("paper") is not sequential.place
    with pytest.raises(PluginError, match=r"'broken' \(no.such.module:f\) cannot be loaded"):
        strategies.placer("broken")


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(PluginError, match=r"^unknown placer 'papr'; did you mean 'paper'\?$"):
        strategies.placer("papr")
    with pytest.raises(PluginError, match=r"^unknown router 'defualt'; did you mean 'default'\?$"):
        strategies.router("defualt")


def test_stages_draw_from_streams_of_their_own() -> None:
    drawn: list[int] = []

    def placer(
        application: Application, machine: Machine, rng: np.random.Generator
    ) -> dict[Name, int]:
        drawn.append(int(rng.integers(1 << 40)))
        return sequential.place(application, machine, rng)

    def router(
        application: Application,
        placement: Mapping[Name, int],
        machine: Machine,
        rng: np.random.Generator,
    ) -> dict[Name, tuple[Route, ...]]:
        drawn.append(int(rng.integers(1 << 40)))
        return default.route(application, placement, machine, rng)

    for seed in (1, 1, 2):
        map_application(replicas(1), machine("spinnaker2"), placer, router, seed)
    assert drawn[:2] == drawn[2:4]
    assert len(set(drawn)) == 4


def route_problems(
    *nets: Net, transport: Transport = "noc_direct", name: str = "spinnaker2"
) -> str:
    host = (Vertex("host", fixed=(5, 7)),) if name == "spinnaker2" else ()
    application = Application("a", (Vertex("v"), Vertex("w"), *host), nets, transport)
    with pytest.raises(MappingError) as caught:
        map_application(application, machine(name), "sequential")
    return str(caught.value)


def test_every_net_that_cannot_be_routed_is_named() -> None:
    text = route_problems(
        Net("a", "v", ("host",)), Net("b", "w", ("v", "host")), transport="router_multicast"
    )
    assert text.startswith("routing of application 'a': 2 problems\n  - net 'a' cannot be routed: ")
    assert "\n  - net 'b' cannot be routed: spinnaker2: the packet router delivers to PEs" in text


def test_dma_on_a_machine_without_dma() -> None:
    text = route_problems(Net("g", "v", ("w",), dma=True), name="mesh-8x8")
    assert "net 'g' cannot be routed: mesh-8x8: PE(0,0,0) has no DMA port" in text


def test_a_payload_that_no_packet_has() -> None:
    text = route_problems(Net("n", "v", ("w",), payload_bits=48))
    assert "net 'n', route 0 has a payload of 48 bits, which inject PE(1,1,0) -> " in text
