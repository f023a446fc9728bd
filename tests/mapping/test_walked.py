"""Routes walked as whole arrays: the same branches, copies and times as route by route."""

import pytest

from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.mapping.metrics import links
from chipsim.mapping.walk import Walker
from chipsim.mapping.walked import walked
from tests.mapping.helpers import machine


@pytest.mark.parametrize("name", ["spinnaker2", "spinnaker1-48", "torus-6x5"])
@pytest.mark.parametrize("router", ["default", "ner"])
def test_as_route_by_route(name: str, router: str) -> None:
    known = machine(name)
    mapping = map_application(generate("ff:n=28,layers=4,reverse=1"), known, "random", router)
    is_link = links(known)
    found = walked(mapping, is_link)
    walker = Walker(known, check=False)
    branches, copies = [], []
    for number, net in enumerate(mapping.application.nets):
        for route in mapping.routes[net.name]:
            walk = walker.walk(route)
            branches += [
                (number, channel, walker.flits(channel, net.payload_bits))
                for channel in walk.channels
            ]
            copies += [
                (number, leaf.endpoint, int(is_link[list(leaf.channels)].sum()), leaf.latency_ps)
                for leaf in walk.leaves
            ]
    columns = (found.net, found.channel, found.flits)
    assert sorted(zip(*(c.tolist() for c in columns), strict=True)) == sorted(branches)
    columns = (found.leaf_net, found.leaf_endpoint, found.leaf_links)
    ends = [*(c.tolist() for c in columns), found.leaf_ps.tolist()]
    assert sorted(zip(*ends, strict=True)) == sorted(copies)
