"""The SRAM budget: limits from the description, one sentence per memory that is too small."""

from dataclasses import replace

import pytest

from chipsim.machine.load import load_shipped
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application, Vertex
from chipsim.mapping.budget import Memory, Usage, memory, sram_problems, usage
from tests.mapping.helpers import quad_machine

KB = 1024


def with_figures(**settings: object) -> Machine:
    description = load_shipped("spinnaker2")
    named = {f"pe.{name}": value for name, value in settings.items()}
    return replace(quad_machine([(1, 1)]), description=description.with_settings(named))


def test_limits_are_the_least_of_what_is_known() -> None:
    assert memory(with_figures()) == Memory(32 * KB, 66 * KB)
    assert memory(with_figures(app_data_kb=96)) == Memory(32 * KB, 96 * KB)
    assert memory(with_figures(code_kb=16, app_data_kb=1)) == Memory(16 * KB, 1 * KB)
    mesh = replace(quad_machine([(1, 1)]), description=load_shipped("mesh"))
    assert memory(mesh) == Memory(None, None)


def test_code_counts_apart_from_data() -> None:
    assert usage(Vertex("v", {"code": 5, "weights": 7, "state": 11})) == Usage(5, 18)


def problems(machine: Machine, *vertices: Vertex) -> list[str]:
    placement = {vertex.name: i for i, vertex in enumerate(vertices)}
    return list(sram_problems(Application("a", vertices), machine, placement))


@pytest.mark.parametrize(("data", "found"), [(66 * KB, 0), (66 * KB + 1, 1)])
def test_the_limit_itself_fits(data: int, found: int) -> None:
    assert len(problems(with_figures(), Vertex("v", {"weights": data}))) == found


def test_each_problem_says_wants_has_and_helps() -> None:
    assert problems(
        with_figures(),
        Vertex("hidden", {"state": 4000, "weights": 140000, "code": 10}, splittable=True),
        Vertex("output", {"weights": 70000}),
        Vertex("loss", {"code": 40000, "state": 8}),
    ) == [
        "vertex 'hidden' wants 144000 bytes of data memory, PE(1,1,0) has 67584: 76416 too many "
        "(weights 140000, state 4000); it can be split: at least 3 parts are needed",
        "vertex 'output' wants 70000 bytes of data memory, PE(1,1,1) has 67584: 2416 too many "
        "(weights 70000); use fewer neurons or samples per PE, or smaller buffers",
        "vertex 'loss' wants 40000 bytes of code memory, PE(1,1,2) has 32768: 7232 too many "
        "(code 40000); use a smaller program",
    ]
    unlimited = replace(quad_machine([(1, 1)]), description=load_shipped("mesh"))
    assert problems(unlimited, Vertex("v", {"weights": 10**9})) == []


def test_interfaces_have_no_pe_memory() -> None:
    machine = with_figures()
    host = machine.endpoint_at(5, 7)
    vertex = Vertex("host", {"samples": 10**9}, fixed=(5, 7))
    assert list(sram_problems(Application("a", (vertex,)), machine, {"host": host})) == []
