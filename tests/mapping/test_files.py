"""mapping.json that does not belong: each case in one message."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.errors import ChipsimError, MappingError
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.files import read
from chipsim.mapping.generators import generate
from chipsim.mapping.mapping import Mapping, map_application
from tests.mapping.helpers import machine, replicas


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "mapping.json"
    map_application(replicas(2), machine("mesh-8x8")).write(file)
    return file


def refused(path: Path, name: str = "mesh-8x8", application: Application | None = None) -> str:
    with pytest.raises(MappingError) as caught:
        read(path, machine(name), application)
    return "\n".join(caught.value.problems)


def test_a_missing_file(tmp_path: Path) -> None:
    text = refused(tmp_path / "none.json")
    assert text == "cannot be read: No such file or directory; check the path"


def test_no_json_and_another_format(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    file.write_text("{")
    assert refused(file).startswith("is no JSON: ")
    file.write_text("[1]")
    assert refused(file) == "has format None; expected 'chipsim-mapping/1'"


def test_a_damaged_file(path: Path) -> None:
    document = json.loads(path.read_text())
    del document["routes"][0]["routes"][0]["stages"]
    path.write_text(json.dumps(document))
    assert refused(path) == ("is damaged (KeyError: 'stages'); write it anew with `chipsim map`")


def test_another_machine(path: Path) -> None:
    text = refused(path, "spinnaker2")
    assert text.startswith("was made for mesh-8x8 with wiring ")
    assert text.endswith("map the application again")


def test_another_application(path: Path) -> None:
    other = Application(
        "other", (*replicas(1).vertices, Vertex("new")), (Net("n", "new", ("optimiser",)),)
    )
    assert refused(path, application=other).splitlines() == [
        "lacks vertex 'new' of the application",
        *(f"has vertex 'r1.{i}', which the application lacks" for i in range(4)),
        "lacks net 'n' of the application",
        *(f"has net 'r{r}.{i}', which the application lacks" for r in (0, 1) for i in range(3)),
    ]


def test_a_tampered_route_is_found(path: Path) -> None:
    document = json.loads(path.read_text())
    document["routes"][0]["routes"] = []
    path.write_text(json.dumps(document))
    assert refused(path).startswith("net 'r0.0' does not reach its sink 'r0.1' at PE(")


def test_names_that_no_file_can_hold(tmp_path: Path) -> None:
    tuples = Application("t", (Vertex((1, 2)),))
    mapping = map_application(tuples, machine("mesh-8x8"), "sequential")
    with pytest.raises(MappingError, match=r"\(1, 2\) is of type tuple; a file holds names"):
        mapping.write(tmp_path / "mapping.json")


def test_tables_come_back_and_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    graph = generate("ff:n=28,layers=4,reverse=1")
    mapping = map_application(graph, machine("mesh-8x8"), "hilbert", "ner").with_tables()
    mapping.write(file)
    back = read(file, machine("mesh-8x8"))
    assert back == mapping
    assert mapping.tables is not None and back.tables is not None
    for node, table in mapping.tables.items():
        assert list(back.tables[node].lines()) == list(table.lines())
    document = json.loads(file.read_text())
    full = max(document["tables"], key=lambda row: len(row["entries"]))
    full["entries"].pop(0)
    file.write_text(json.dumps(document))
    assert re.search(r"net \d+: key 0x\w+ ", refused(file))
    full["entries"][0][4] = "0xffffffffff"
    file.write_text(json.dumps(document))
    assert "an entry's route has more than" in refused(file)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_file_damaged_anywhere_is_refused_or_read(path: Path, data: st.DataObject) -> None:
    """Replace or drop any value in the document: a mapping or a named problem comes of it."""
    document = json.loads(path.read_text())
    at: Any = document
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        at = inner
    if data.draw(st.booleans()):
        del at[key]
    else:
        at[key] = data.draw(
            st.none() | st.integers(-3, 2**40) | st.floats() | st.text(max_size=3)
            | st.just([]) | st.just({})
        )  # fmt: skip
    file = path.with_name("damaged.json")
    file.write_text(json.dumps(document))
    try:
        assert isinstance(read(file, machine("mesh-8x8")), Mapping)
    except ChipsimError as error:
        assert str(error)
