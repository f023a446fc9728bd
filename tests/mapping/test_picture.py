"""The picture of a mapping: its arrows are the links and their loads, as the figures say."""

import pytest

from chipsim.machine.library import load_machine
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import map_application
from chipsim.plots.mapping import mapping_load

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("name", "graph"),
    [("spinnaker2", "rgg:n=100"), ("spinnaker1-48", "rgg:n=100"), ("torus-5x5", "rgg:n=25")],
)
def test_the_hottest_arrow_is_the_hottest_link(name: str, graph: str) -> None:
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    mapping = map_application(generate(graph), load_machine(name), "hilbert", "ner")
    ax = mapping_load(mapping, Figure().add_subplot())
    (colours,) = (other for other in ax.figure.axes if other is not ax)
    assert colours.get_ylim()[1] == pytest.approx(mapping.metrics().total.max_link_load)
    assert colours.get_ylabel() == "packets per tick"
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert arrows
    if name == "spinnaker2":
        assert [text.get_text() for text in ax.texts].count("R") == 2
    for arrow in arrows:
        (x, y), (u, v) = arrow._posA_posB  # type: ignore[attr-defined]
        assert max(abs(x - u), abs(y - v)) < 1
        if name == "spinnaker2":
            # Between neighbours: both ends stand 0.3 before the tiles' edges, none is a stub.
            assert max(abs(x - u), abs(y - v)) == pytest.approx(0.4)
