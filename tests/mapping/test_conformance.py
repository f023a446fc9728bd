"""One suite over every placer, router, transport and machine; hypothesis draws the applications.

`map_application` runs the package's check; the ends of every route are followed here once more.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.machine import routes as machine_routes
from chipsim.machine.library import load_machine
from chipsim.machine.model import Machine
from chipsim.machine.route import SINK, Route
from chipsim.mapping import strategies
from chipsim.mapping.application import KINDS, Application, Net, Transport, Vertex
from chipsim.mapping.files import read, to_json, write
from chipsim.mapping.mapping import Mapping, map_application
from chipsim.mapping.walk import Walker
from tests.mapping.helpers import machine, replicas

MACHINES = ("spinnaker2", "mesh-8x8", "mesh-8x8:xy", "torus-6x5", "holes")
SLOW = [("in_the_loop", "default"), ("random", "lut_balanced")]
"""One simulates hundreds of placements an application, the other takes seconds a chip: in the
nightly run only."""
PAIRS = [
    *((name, "default") for name in strategies.names("placer")),
    *(("random", router) for router in strategies.names("router") if router != "default"),
    ("hilbert", "ner"),
]
QUICK = [pair for pair in PAIRS if pair not in SLOW]
TRANSPORTS: tuple[Transport, ...] = ("noc_direct", "router_multicast")


@st.composite
def applications(draw: st.DrawFn) -> Application:
    """Up to 24 vertices, in groups of up to four, and nets of any shape between them.

    DMA nets are drawn too; :func:`suited` turns them off where a machine has no DMA engines.
    """
    count = draw(st.integers(1, 24))
    size = draw(st.integers(1, 4))
    vertices = [Vertex(f"v{i}", {"data": 100 * i}, group=i // size) for i in range(count)]
    if draw(st.booleans()):
        vertices[draw(st.integers(0, count - 1))] = Vertex("alone")
    names = [vertex.name for vertex in vertices]
    nets = []
    for number in range(draw(st.integers(0, 12))):
        sinks = draw(st.lists(st.sampled_from(names), min_size=1, max_size=count, unique=True))
        dma = draw(st.booleans())
        nets.append(
            Net(
                number,
                draw(st.sampled_from(names)),
                tuple(sinks),
                draw(st.sampled_from(KINDS)),
                key_bits=draw(st.integers(0, 12)),
                payload_bits=128 if dma else draw(st.sampled_from((0, 32, 64, 128))),
                transport=draw(st.sampled_from((None, *TRANSPORTS))),
                packets_per_tick={"forward": draw(st.floats(0, 8, width=16))},
                dma=dma,
            )
        )
    return Application("random", tuple(vertices), tuple(nets))


def suited(application: Application, machine: Machine, transport: Transport) -> Application:
    dma = bool((machine.endpoint_dma_port >= 0).all())
    nets = tuple(replace(net, dma=net.dma and dma) for net in application.nets)
    return Application("random", application.vertices, nets, transport)


def ends(machine: Machine, route: Route) -> Counter[int]:
    """Follow a route to its sinks, with nothing but the arrays."""
    found: Counter[int] = Counter()
    todo = [0]
    for number in todo:
        for channel, following in route.stages[number]:
            if following == SINK:
                port = int(machine.channel_port[channel])
                found[machine.endpoint_sink.tolist().index(port)] += 1
            else:
                todo.append(following)
    return found


def conforms(mapping: Mapping) -> None:
    machine = mapping.machine
    walker = Walker(machine)
    assert list(mapping.placement) == [vertex.name for vertex in mapping.application.vertices]
    assert len(set(mapping.placement.values())) == len(mapping.placement)
    assert all(type(endpoint) is int for endpoint in mapping.placement.values())
    assert list(mapping.routes) == [net.name for net in mapping.application.nets]
    for net in mapping.application.nets:
        reached: Counter[int] = Counter()
        for route in mapping.routes[net.name]:
            reached += ends(machine, route)
            latencies = {leaf.endpoint: leaf.latency_ps for leaf in walker.walk(route).leaves}
            assert latencies == machine_routes.zero_load_ps(machine, route)
        assert reached == Counter(mapping.placement[sink] for sink in net.sinks)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    ("placer", "router"),
    [*QUICK, *(pytest.param(*pair, marks=pytest.mark.nightly) for pair in SLOW)],
)
@settings(max_examples=6)
@given(application=applications(), transport=st.sampled_from(TRANSPORTS), seed=st.integers(0, 99))
def test_every_strategy_conforms(
    name: str, placer: str, router: str, transport: Transport, application: Application, seed: int
) -> None:
    application = suited(application, machine(name), transport)
    mapping = map_application(application, machine(name), placer, router, seed)
    conforms(mapping)
    assert map_application(application, machine(name), placer, router, seed) == mapping
    metrics = mapping.metrics()
    assert metrics.total.tree_hops == pytest.approx(
        sum(flow.tree_hops for flow in metrics.by_kind.values())
    )
    assert metrics.total.tree_hops >= metrics.total.max_link_load


FAULTS = {"faults.random_chips": 2, "faults.random_links": 4, "faults.random_pes": 20}
BOARDS: dict[str, tuple[str, dict[str, object]]] = {
    "hex-torus-5x4": ("hex-torus-5x4", {"faults.random_links": 4}),
    "spinnaker1-48": ("spinnaker1-48", FAULTS),
    "spinnaker2-48": ("spinnaker2-48", FAULTS | {"faults.random_qpes": 10}),
}


@cache
def board(name: str) -> Machine:
    return load_machine(*BOARDS[name])


@pytest.mark.nightly
@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("placer", "router"), [*QUICK, ("random", "lut_balanced")])
@settings(max_examples=3)
@given(application=applications(), seed=st.integers(0, 99))
def test_every_strategy_conforms_on_boards_with_faults(
    name: str, placer: str, router: str, application: Application, seed: int
) -> None:
    many = Application("few", application.vertices[:16], ())
    names = {vertex.name for vertex in many.vertices}
    most = 32 if name == "spinnaker1-48" else 128  # bits that a packet can carry
    nets = tuple(
        replace(net, sinks=ends, payload_bits=min(net.payload_bits, most))
        for net in application.nets
        if net.source in names and (ends := tuple(s for s in net.sinks if s in names))
    )
    fitting = suited(replace(many, nets=nets), board(name), "router_multicast")
    mapping = map_application(fitting, board(name), placer, router, seed)
    conforms(mapping)
    assert map_application(fitting, board(name), placer, router, seed) == mapping


def test_direct_routes_are_one_per_tile_in_row_order() -> None:
    chip = machine("spinnaker2")
    vertices = tuple(Vertex(i) for i in range(152))
    application = Application("all", vertices, (Net("n", 5, tuple(range(151, -1, -1))),))
    mapping = map_application(application, chip, "random", seed=4)
    tiles = []
    for route in mapping.routes["n"]:
        found = {
            (int(chip.endpoint_y[end]), int(chip.endpoint_x[end])) for end in ends(chip, route)
        }
        assert len(found) == 1
        tiles += sorted(found)
    assert len(tiles) == 38 and tiles == sorted(tiles)


def test_the_seed_matters_to_those_that_draw() -> None:
    chip = machine("spinnaker2")
    annealed = ("annealing", "multilevel", "in_the_loop")
    for placer in (name for name in strategies.names("placer") if not name.startswith(annealed)):
        one, two = (map_application(replicas(8), chip, placer, seed=seed) for seed in (1, 2))
        assert (one.placement == two.placement) == (placer != "random")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("transport", TRANSPORTS)
@settings(max_examples=10)
@given(application=applications())
def test_a_file_gives_the_mapping_back(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    transport: Transport,
    application: Application,
) -> None:
    application = suited(application, machine(name), transport)
    mapping = map_application(application, machine(name), "random", seed=9)
    path = tmp_path_factory.mktemp("mapping") / "mapping.json"
    write(mapping, path)
    again = read(path, machine(name))
    assert again == mapping
    assert read(path, machine(name), application) == mapping
    first = path.read_bytes()
    write(again, path)
    assert path.read_bytes() == first


_SCRIPT = """
import sys
from chipsim.mapping.mapping import map_application
from chipsim.mapping.walk import Walker
from tests.mapping.helpers import machine, replicas
map_application(replicas(5), machine("spinnaker2"), "random", seed=3).write(sys.argv[1])
"""


def test_the_hash_seed_does_not_matter(tmp_path: Path) -> None:
    written = []
    for hash_seed in ("1", "2"):
        path = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(path)],
            check=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_json_is_plain() -> None:
    document = to_json(map_application(replicas(2), machine("spinnaker2")))

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(k, str) and plain(v) for k, v in value.items())
        if isinstance(value, list):
            return all(plain(item) for item in value)
        return value is None or type(value) in (str, int, float, bool)

    assert plain(document)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("count", [1, 22, 37])
def test_the_paper_s_system(transport: Transport, count: int) -> None:
    """Errors back, gradients by DMA, one multicast of weights, samples from the host."""
    vertices, nets = [Vertex("optimiser"), Vertex("host", fixed=(5, 7))], []
    for r in range(count):
        chain = [f"r{r}/{program}" for program in ("input", "hidden", "output", "loss")]
        vertices += [Vertex(name, {"state": 20_000}, group=r) for name in chain]
        traffic = {"forward": 1.0}
        nets += [
            Net(f"{a}/spikes", a, (b,), key_bits=7, packets_per_tick=traffic)
            for a, b in pairwise(chain)
        ]
        nets += [
            Net(f"{a}/errors", a, (b,), "error", 12, 32, packets_per_tick={"backward": 1.0})
            for a, b in pairwise(chain[:0:-1])
        ]
        nets += [
            Net(f"{a}/gradient", a, ("optimiser",), "gradient", payload_bits=128, dma=True)
            for a in chain[1:3]
        ]
    hidden = tuple(f"r{r}/hidden" for r in range(count))
    nets.append(Net("weights", "optimiser", hidden, "weight", 8, 128, "router_multicast"))
    nets.append(Net("samples", "host", hidden, "host", payload_bits=128, dma=True))
    application = Application("paper", tuple(vertices), tuple(nets), transport)
    mapping = map_application(application, machine("spinnaker2"))
    conforms(mapping)
    assert mapping.machine.endpoint_label(mapping.placement["optimiser"]) == "PE(1,6,0)"
    inside = transport == "noc_direct"
    for phase in ("forward", "backward"):
        assert (mapping.metrics().by_phase[phase].tree_hops == 0) == inside
