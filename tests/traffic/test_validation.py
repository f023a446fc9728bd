"""Quick versions of the validation page's figures; the nightly run makes the page's own."""

from __future__ import annotations

import importlib.util
import math
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chipsim.machine.library import load_machine

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "validation.py"
SPEC = importlib.util.spec_from_file_location("validation", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
validation: ModuleType = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(validation)


@pytest.mark.parametrize(
    ("name", "settings", "inject_ps", "hop_ps"),
    [
        ("mesh-5x4", {"noc.hop_cycles": 3}, 0, 3000),
        ("torus-4x4", {}, 0, 1000),
    ],
)
def test_zero_load_latency_of_every_pair(
    name: str, settings: dict[str, int], inject_ps: int, hop_ps: int, network: str
) -> None:
    machine = load_machine(name, settings)
    found, at = validation.zero_load(machine, network)
    width, height = machine.grid_width, machine.grid_height
    nodes = np.arange(width * height)
    dx = np.abs(np.subtract.outer(nodes % width, nodes % width))
    dy = np.abs(np.subtract.outer(nodes // width, nodes // width))
    if name.startswith("torus"):
        dx, dy = np.minimum(dx, width - dx), np.minimum(dy, height - dy)
    formula = inject_ps + hop_ps * (dx + dy + 1)
    assert (found.time_ps - at).tolist() == formula.ravel().tolist()


def test_a_hop_of_the_chip_takes_16_7_ns() -> None:
    machine = load_machine("spinnaker2")
    found, at = validation.zero_load(machine, "compiled", every=3)
    latency = found.time_ps - at
    # Five cycles of 300 MHz each for the injection and every router visited.
    assert latency.tolist() == (16_667 * (found.hops + 1)).tolist()
    assert int(latency.min()) == 2 * 16_667


def test_one_channel_is_m_d_1() -> None:
    for load, seeds in ((0.5, range(6)), (0.8, range(10, 22))):
        wait, error = validation.md1(load, 60_000, seeds, "compiled")
        assert abs(wait - validation.pollaczek_khinchine(load)) < 4 * error
        assert error < 0.05 * wait


def test_one_channel_is_m_d_1_in_the_reference() -> None:
    wait, error = validation.md1(0.5, 4_000, range(4), "simpy")
    assert abs(wait - 0.5) < 4 * error


@pytest.mark.parametrize("ports", [2, 3, 8])
def test_head_of_line_blocking_of_a_switch(ports: int) -> None:
    found = validation.hol(ports, 40_000, "compiled")
    # The standard error is about 0.5 / sqrt(ports * cycles).
    assert abs(found - validation.hol_exact(ports)) < 6 * 0.5 / math.sqrt(36_000 * ports)


def test_the_chain_of_small_switches() -> None:
    assert abs(validation.hol_exact(1) - 1) < 1e-12  # nobody to wait for
    # Two inputs: the heads agree on an output half of the time, and then one of them waits.
    assert abs(validation.hol_exact(2) - 3 / 4) < 1e-12


def test_bounds_by_channel_load() -> None:
    mesh = load_machine("mesh-8x8")
    # Bisection: 64 / 4 packets a cycle over 8 links. Transpose: 7 flows turn the last corner.
    assert validation.channel_bound(mesh, "uniform") == pytest.approx((1 / 2, 6.25))
    assert validation.channel_bound(mesh, "transpose") == pytest.approx((1 / 7, 6.25))
    assert validation.channel_bound(mesh, "tornado") == pytest.approx((1 / 3, 8.5))


def test_uniform_traffic_saturates_well_below_the_bisection_bound() -> None:
    full = [
        validation.measure("uniform", 1.0, fifo, 2000, "compiled").accepted_rate
        for fifo in (1, 4, 8, "unbounded")
    ]
    assert all(one < other - 0.02 for one, other in pairwise(full))
    # 1 slot moves a flit every third cycle; 4 and 8: 60 to 80 % of the bound of 0.5.
    assert full[0] < 0.2
    assert all(0.30 <= taken <= 0.40 for taken in full[1:3])
    assert full[3] < 0.46


def test_latency_grows_at_the_knee_and_not_before() -> None:
    for rate, low, high in ((0.35, 9, 14), (0.42, 50, math.inf)):
        found = validation.measure("uniform", rate, 8, 5000, "compiled", drain=5000)
        assert low < found.mean_latency_cycles < high


def test_transpose_reaches_its_bound() -> None:
    knee, _ = validation.saturation("transpose", 4, 6.25, 5000, "compiled")
    assert 0.95 / 7 <= knee <= 1.05 / 7


def test_free_times_alone_are_right_at_low_load_and_wrong_at_high() -> None:
    def difference(rate: float) -> float:
        mesh = load_machine("mesh-8x8")
        simple = validation.free_times(mesh, rate, 3000, 600)
        full = validation.measure("uniform", rate, 8, 3000, "compiled", drain=3000)
        return float(simple / full.mean_latency_cycles - 1)

    assert abs(difference(0.1)) < 0.01
    assert difference(0.3) < -0.05


def test_channel_throughput_by_credits(network: str) -> None:
    for hop, credit_cycles, fifos in ((5, 1, (1, 3, 7, 8)), (9, 6, (1, 15, 16))):
        for fifo in fifos:
            theory, measured = validation.credit(fifo, hop, credit_cycles, network)
            assert measured == pytest.approx(theory, abs=1e-8)


@pytest.mark.parametrize(("transit", "links"), [(False, 8), (True, 12)])
def test_a_permutation_fills_the_middle_cut(transit: bool, links: int) -> None:
    found, load, gbps = validation.cut(transit, 3000, "compiled")
    assert found == links
    assert load >= 0.95
    assert gbps >= 0.95 * links * 38.4


def test_the_packet_router_passes_one_packet_a_cycle() -> None:
    offered, passed = validation.router(0.004, 3000, "compiled")
    assert passed == pytest.approx(offered, rel=0.03)
    offered, passed = validation.router(0.012, 1000, "compiled")
    assert offered > 500
    assert passed == pytest.approx(400, rel=0.002)


def test_the_page_has_a_place_for_every_table() -> None:
    page = validation.PAGE.read_text()
    for name in validation.SECTIONS:
        changed = validation.update(page, name, "TABLE")
        assert f"<!-- figures: {name} -->\nTABLE\n<!-- end: {name} -->" in changed


@pytest.mark.nightly
@pytest.mark.parametrize("name", validation.SECTIONS)
def test_the_page_shows_what_the_script_prints(name: str) -> None:
    header, rows = validation.SECTIONS[name]
    assert validation.markdown(header, rows("compiled")) in validation.PAGE.read_text()
