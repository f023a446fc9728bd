"""Placement: the paper's rule tile by tile, the simple placers, fixed places, error texts."""

import pytest

from chipsim import seeds
from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping import strategies
from chipsim.mapping.application import Application, Vertex
from tests.mapping.helpers import paper_chip, quad_machine, replicas

PLACERS = strategies.names("placer")


@pytest.fixture(scope="module")
def chip() -> Machine:
    return paper_chip()


def where(application: Application, machine: Machine, placer: str) -> dict[object, str]:
    placement = strategies.placer(placer)(application, machine, seeds.rng(3, "place"))
    assert list(placement) == [vertex.name for vertex in application.vertices]
    return {name: machine.endpoint_label(pe) for name, pe in placement.items()}


def test_the_paper_fills_rows_from_below(chip: Machine) -> None:
    places = where(replicas(37), chip, "paper")
    assert places["optimiser"] == "PE(1,6,0)"
    assert [places[f"r0.{i}"] for i in range(4)] == [f"PE(1,1,{i})" for i in range(4)]
    tiles = [places[f"r{r}.0"] for r in range(37)]
    assert tiles[:7] == [f"PE({x},1,0)" for x in range(1, 8)]
    assert tiles[14:19] == [f"PE({x},3,0)" for x in (1, 2, 3, 5, 6)]
    assert tiles[-6:] == [f"PE({x},6,0)" for x in range(2, 8)]


def test_38_replicas_are_refused_with_the_reason(chip: Machine) -> None:
    with pytest.raises(MappingError) as caught:
        where(replicas(38), chip, "paper")
    assert str(caught.value) == (
        "paper placement of application 'replicas-38': 1 problem\n"
        "  - 38 replicas of up to 4 vertices, but 37 fit: spinnaker2 has 38 QPEs, of which "
        "QPE (1,6) is kept for the optimiser, and each replica takes whole QPEs; use at most 37 "
        "replicas or another placer"
    )


def test_larger_groups_take_the_following_tiles(chip: Machine) -> None:
    places = where(replicas(3, size=6), chip, "paper")
    assert places["r0.5"] == "PE(2,1,1)"
    assert places["r1.0"] == "PE(3,1,0)"
    assert places["r2.5"] == "PE(6,1,1)"
    with pytest.raises(MappingError, match="19 replicas of up to 6 vertices, but 18 fit"):
        where(replicas(19, size=6), chip, "paper")


def test_vertices_without_a_group_share_the_reserved_tile(chip: Machine) -> None:
    five = Application("five", tuple(Vertex(f"o{i}") for i in range(5)))
    assert where(Application("four", five.vertices[:4]), chip, "paper")["o3"] == "PE(1,6,3)"
    with pytest.raises(MappingError, match=r"5 vertices without a group, but 4 fit.*put 'o4'"):
        where(five, chip, "paper")


def test_the_paper_on_a_machine_without_that_tile() -> None:
    machine = quad_machine([(x, 0) for x in range(8)], pes=1)
    places = where(replicas(3, size=2), machine, "paper")
    assert places["optimiser"] == "PE(7,0,0)"
    assert places["r2.1"] == "PE(5,0,0)"


@pytest.mark.parametrize("placer", PLACERS)
def test_fixed_places_are_kept(chip: Machine, placer: str) -> None:
    application = Application(
        "fixed",
        (
            Vertex("a", group=0),
            Vertex("b", group=0, fixed=(1, 1, 0)),
            Vertex("host", fixed=(5, 7)),
            *(Vertex(f"r{i}", group=i + 1) for i in range(20)),
        ),
    )
    places = where(application, chip, placer)
    assert (places["b"], places["host"]) == ("PE(1,1,0)", "HOST(5,7)")
    assert len(set(places.values())) == len(application.vertices)
    if placer == "paper":
        assert places["a"] == "PE(2,1,0)"


@pytest.mark.parametrize("placer", PLACERS)
def test_fixed_places_that_cannot_be(chip: Machine, placer: str) -> None:
    application = Application(
        "wrong", (Vertex("a", fixed=(1, 1)), Vertex("b", fixed=(1, 1)), Vertex("c", fixed=(4, 3)))
    )
    with pytest.raises(MappingError) as caught:
        where(application, chip, placer)
    double, missing = caught.value.problems
    assert double == (
        "vertices 'a' and 'b' are both fixed at PE(1,1,0); an endpoint holds one vertex: move one"
    )
    assert missing.startswith("vertex 'c' cannot be fixed at tile (4,3), PE 0 of chip 0: ")


@pytest.mark.parametrize("placer", ["random", "sequential"])
def test_too_few_pes(chip: Machine, placer: str) -> None:
    application = Application("many", (Vertex("o", fixed=(1, 6)), *(Vertex(i) for i in range(152))))
    with pytest.raises(MappingError) as caught:
        where(application, chip, placer)
    assert caught.value.problems == (
        "152 vertices want a PE each, but spinnaker2 has 151 free PEs (152 in all, 1 of them "
        "taken by fixed vertices); use a larger machine, fewer replicas or fewer vertices",
    )


def test_sequential_follows_tiles_and_random_the_seed(chip: Machine) -> None:
    application = Application("five", tuple(Vertex(i) for i in range(5)))
    assert list(where(application, chip, "sequential").values()) == [
        "PE(1,1,0)",
        "PE(1,1,1)",
        "PE(1,1,2)",
        "PE(1,1,3)",
        "PE(2,1,0)",
    ]
    place = strategies.placer("random")
    one, same, other = (place(application, chip, seeds.rng(s, "p")) for s in (1, 1, 2))
    assert one == same != other
