"""Words of 64 bit: what fits is carried to the last bit, and what does not is refused."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.errors import NetworkError, RouteError
from chipsim.network.compiled import Network
from chipsim.network.compiled.layout import STAGE_LINE
from tests.network_compiled.compiled_rig import FLIT, LATENCY, send, sends, star, take_all, to


def test_64_branches_are_granted_at_once() -> None:
    network = Network(star(64))
    send(network, to(0, *range(64)), [100])
    network.advance(1000)
    got = take_all(network, 1000)
    assert got.endpoint.tolist() == list(range(64))
    assert set(got.time_ps.tolist()) == {100 + LATENCY}


def test_65_branches_are_refused() -> None:
    network = Network(star(65))
    with pytest.raises(RouteError, match=r"stage 0: 65 branches; .*at most 64.*split the net"):
        network.add_routes([to(0, *range(65))])


def test_64_inputs_take_turns() -> None:
    network = Network(star(1, sources=64))
    routes = [to(port, 0) for port in range(64)]
    numbers = network.add_routes(routes).tolist()
    network.send(sends(routes * 2, numbers * 2, [100] * 128))
    network.advance(10_000)
    got = take_all(network, 10_000)
    in_turn = np.argsort(got.time_ps)
    assert got.seq[in_turn].tolist() == list(range(128))
    assert got.time_ps[in_turn].tolist() == [100 + LATENCY + FLIT * k for k in range(128)]


def test_65_inputs_are_refused() -> None:
    with pytest.raises(NetworkError, match=r"hub has 65 input FIFOs; .*at most 64 a node"):
        Network(star(1, sources=65))


def test_routes_that_go_on_alike_share_their_stages() -> None:
    network = Network(star(2, sources=3))
    network.add_routes([to(port, 0, 1) for port in range(3)])
    one = len(network._table.stages)
    assert one == 2 * STAGE_LINE, "a stage of two branches"
    network.add_routes([to(0, 1, 0)])
    assert len(network._table.stages) == 2 * one, "the order of branches counts"
