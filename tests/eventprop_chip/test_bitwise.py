"""Chip and off-chip give the same bits; so do both networks."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from chipsim.errors import DataError, MappingError
from chipsim.mapping.application import KINDS
from chipsim.sim.account import account
from chipsim.sim.trace import PHASES, Tracer
from chipsim.testing.summary import same_summary
from chipsim.trace.recorder import Recorder
from chipsim.trace.schema import SCHEMAS
from eventprop_apps import TTFSLoss
from eventprop_apps.exchange import ExchangeOptions
from tests.eventprop_chip.cases import Case, Watch, cases, differences, kind_of, report


def compare(case: Case, network: str, tally: Counter[str], excluded: Counter[str]) -> None:
    watch = Watch()
    with warnings.catch_warnings():
        # A gradient may overflow in both back ends alike: that is for the bits to show.
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = case.run("offchip")
        try:
            result = case.run("chip", network=network, probes=[watch])
        except MappingError:
            excluded["network too large for the chip"] += 1
            return
    assert differences(result, expected) == []
    assert watch.quiet()
    tally[kind_of(result)] += 1


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(100, id="some"),
        pytest.param(2000, id="many", marks=pytest.mark.nightly),
    ],
)
def test_chip_equals_offchip(
    examples: int,
    fast: str,
    capsys: pytest.CaptureFixture[str],
    record_property: Any,
) -> None:
    tally: Counter[str] = Counter()
    excluded: Counter[str] = Counter()

    @settings(max_examples=examples)
    @given(case=cases())
    def check(case: Case) -> None:
        compare(case, fast, tally, excluded)

    check()
    text = report(tally, excluded)
    record_property("draws", text)
    with capsys.disabled():
        print(f"\nchip == off-chip: {text}")
    assert not excluded, "every draw of this size fits the chip"
    assert tally["whole"] >= examples // 4, "too few draws exercise the whole of both passes"


NAMED = {
    "one neuron": Case(1, (1, 1), scale=6.0, rate=0.6),
    "two layers": Case(2, (4, 6, 3), batch=3),
    "two layers, errors": Case(3, (4, 6, 3), batch=3, target="errors"),
    "four layers": Case(4, (6, 8, 7, 5, 3), steps=16),
    "float64": Case(5, (4, 6, 3), dtype="float64"),
    "euler": Case(6, (4, 6, 3), factors="euler", target="errors"),
    "in waves": Case(7, (3, 5, 2), batch=7, chip={"replicas": 3}),
    "by the packet router": Case(8, (4, 6, 3), batch=4, chip={"transport": "router_multicast"}),
    "silent": Case(9, (4, 6, 3), rate=0.0),
    "two steps": Case(10, (3, 3), steps=2, rate=1.0),
}


@pytest.mark.parametrize("case", NAMED.values(), ids=NAMED.keys())
def test_named_networks_on_either_network(case: Case, network: str) -> None:
    watch = Watch()
    assert differences(case.run("chip", network=network, probes=[watch]), case.run("offchip")) == []
    assert watch.quiet()


class Trace:
    """A probe that records everything that ended, as files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def on_start(self, simulation: Any) -> None:
        self.simulation = simulation
        recorder = Recorder("packets", self.directory, kinds=KINDS, phases=PHASES)
        simulation.tracer = Tracer(simulation, recorder)

    def files(self) -> dict[str, bytes]:
        self.simulation.tracer.flush()
        self.simulation.tracer.recorder.close()
        paths = sorted(self.directory.rglob("*.parquet"))
        return {str(p.relative_to(self.directory)): p.read_bytes() for p in paths if p.is_file()}


@pytest.mark.parametrize(
    "case",
    [NAMED["two layers"], NAMED["in waves"], NAMED["by the packet router"], NAMED["float64"]],
    ids=["two layers", "in waves", "by the packet router", "float64"],
)
def test_both_networks_write_the_same_bytes(case: Case, tmp_path: Path) -> None:
    files, results = {}, {}
    for network in ("compiled", "simpy"):
        trace = Trace(tmp_path / network)
        results[network] = case.run("chip", network=network, probes=[trace])
        files[network] = trace.files()
    assert differences(results["compiled"], results["simpy"]) == []
    # Every data set, each in one part; hops are written at another level.
    assert {name.split("/")[0] for name in files["simpy"]} == {
        schema.directory for name, schema in SCHEMAS.items() if name != "hops"
    }
    assert files["compiled"] == files["simpy"]


def test_loss_and_gradients_with_other_losses_and_constants(fast: str) -> None:
    case = NAMED["two layers"]
    for loss in (TTFSLoss(xi=0.7, alpha=0.2, beta=9.0), TTFSLoss.on_chip()):
        options = {"loss": loss, "tau_mem_ms": 12.5, "tau_syn_ms": 3.0, "dt_ms": 0.5}
        chip, off = case.run("chip", network=fast, **options), case.run("offchip", **options)
        assert differences(chip, off) == []
        assert chip.loss != case.run("offchip").loss


@pytest.mark.parametrize("tick_us", [10, 50, 123])
def test_a_shorter_tick_changes_no_bit_while_nothing_overruns(tick_us: int, fast: str) -> None:
    """Below 100 us the host's first samples come after the first ticks."""
    case, watch = NAMED["in waves"], Watch()
    result = case.run("chip", network=fast, settings={"tick_us": tick_us}, probes=[watch])
    assert differences(result, case.run("offchip")) == []
    assert watch.quiet()


def test_a_tick_that_is_too_short_is_seen(fast: str) -> None:
    """1 us has 300 cycles, less than the overhead of 500: every handler overruns."""
    case, watch = NAMED["two layers"], Watch()
    case.run("chip", network=fast, settings={"tick_us": 1}, probes=[watch])
    log = watch.simulation.tick_log
    assert 0 < log.overruns <= watch.simulation.tick_handlers
    assert log.use_max_ps > 1_000_000


def test_overload_on_both_networks() -> None:
    """Late packets change the result, and change it alike; late errors may still be in time."""
    case = Case(41, (6, 12, 8, 3), steps=14, batch=5, rate=0.4, scale=14.0, chip={"replicas": 2})
    expected = case.run("offchip")
    late = {}
    for tick_us in (3, 14, 20):
        found = {}
        for network in ("compiled", "simpy"):
            watch = Watch()
            result = case.run(
                "chip", network=network, settings={"tick_us": tick_us}, probes=[watch]
            )
            found[network] = (result, account(watch.simulation))
        assert differences(found["compiled"][0], found["simpy"][0]) == []
        assert same_summary(found["compiled"][1], found["simpy"][1])
        result, summary = found["compiled"]
        late[tick_us] = (summary["late_spikes"] > 0, summary["late_errors"] > 0)
        assert bool(differences(result, expected)) == late[tick_us][0]
    assert late == {3: (True, True), 14: (False, True), 20: (False, False)}


@pytest.mark.parametrize("replicas", [1, 22, 37])
def test_replicas(replicas: int, fast: str) -> None:
    case = Case(11, (5, 12, 3), batch=37, steps=8, chip={"replicas": replicas})
    assert differences(case.run("chip", network=fast), case.run("offchip")) == []


def test_as_many_samples_at_once_as_fit(fast: str) -> None:
    watch = Watch()
    case = Case(12, (3, 4, 2), batch=40, steps=5)
    assert differences(case.run("chip", network=fast, probes=[watch]), case.run("offchip")) == []
    inputs = [name for name in watch.simulation.pes if name.endswith("/input")]
    assert len(inputs) == 37


def test_38_replicas_do_not_fit(fast: str) -> None:
    case = Case(13, (3, 4, 2), batch=38, chip={"replicas": 38})
    with pytest.raises(MappingError) as caught:
        case.run("chip", network=fast)
    assert str(caught.value) == (
        "paper placement of application 'eventprop': 1 problem\n"
        "  - 38 replicas of up to 4 vertices, but 37 fit: spinnaker2 has 38 QPEs, of which QPE "
        "(1,6) is kept for the optimiser, and each replica takes whole QPEs; use at most 37 "
        "replicas or another placer"
    )


def test_an_optimiser_too_large_for_the_sram(fast: str) -> None:
    """300 neurons of 60 inputs: 18,900 weights, sums and two moments each; the layer is split."""
    case = Case(14, (60, 300, 3), batch=2, steps=4)
    with pytest.raises(MappingError) as caught:
        case.run("chip", network=fast)
    text = str(caught.value)
    assert "vertex 'optimiser' wants 318784 bytes of data memory" in text
    assert text.endswith(
        "'optimiser' needs 318784 bytes, a PE has 67584: take train.exchange = \"sharded\" with "
        'train.shards >= 6, or train.exchange = "sharded" with train.shards >= 2 and '
        'train.optimiser_state = "dram"'
    )
    exchange = ExchangeOptions("sharded", shards=6)
    result = case.run("chip", network=fast, settings={"exchange": exchange})
    assert differences(result, case.run("offchip")) == []


def test_wrong_arguments(fast: str) -> None:
    case = NAMED["two layers"]
    wrong = {
        "unknown back end": (
            {"backend": "chips"},
            r"unknown back end 'chips'; did you mean 'chip'",
        ),
        "labels and errors": (
            {"output_error": np.zeros((3, 3))},
            r"got labels and output_error; expected one of them",
        ),
        "label": ({"labels": [0, 1, 3]}, r"expected \(3,\) with values 0 to 2"),
        "labels": ({"labels": [0, 1]}, r"got labels of shape \(2,\), expected \(3,\)"),
    }
    for options, message in wrong.values():
        with pytest.raises(DataError, match=message):
            case.run(**{"backend": "chip", "network": fast, **options})
