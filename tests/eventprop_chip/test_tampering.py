"""Every packet counts: one that is lost, late or altered changes the result as it should.

Where the off-chip back end can be given the same mishap (a spike that is not there, or a step
later; an error that is zero, or another number), the chip's result equals it bit for bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.errors import ExchangeError, StalledError
from chipsim.network.api import Sends
from chipsim.sim.account import account
from chipsim.testing.tamper import Alter, Delay, Drop, data_flits, requests
from eventprop_apps.keys import ErrorKey, SpikeKey
from tests.eventprop_chip.cases import Case, Watch, differences

TICK = 1_000_000_000
CASE = Case(21, (4, 6, 3), steps=12, batch=2, rate=0.25, scale=14.0, target="errors")
STEPS, INPUTS, OUTPUTS = CASE.steps, CASE.sizes[0], CASE.sizes[-1]


@pytest.fixture
def straight(fast: str) -> Any:
    """The undisturbed result, which exercises everything."""
    result = CASE.run("chip", network=fast)
    assert all(layer.sum() > 8 for layer in result.spikes)
    assert (result.first_spike_times < STEPS - 4).any()
    assert all((g != 0).mean() > 0.5 for g in result.gradients)
    return result


def from_input(sends: Sends) -> Any:
    """Choose the spikes of the input programs; a replica is input, two layers, loss."""
    return sends.source % 4 == 0


def from_layers(sends: Sends) -> Any:
    """Choose the spikes that layers send."""
    return sends.source % 4 != 0


def from_loss(sends: Sends) -> Any:
    """Choose the errors that the loss programs send."""
    return sends.source % 4 == 3


def from_above(sends: Sends) -> Any:
    """Choose the errors that the output layer sends to the hidden one."""
    return sends.source % 4 == 2


def input_spike(free_after: int = 0, number: int = 0) -> tuple[int, tuple[int, int, int]]:
    """Return the n-th early input spike, in the order of sending, and its (step, sample, line).

    ``free_after``: its line has no spike so many steps later.
    """
    spikes = CASE.spikes
    found = [
        (nth, (int(step), int(sample), int(line)))
        for nth, (step, sample, line) in enumerate(np.argwhere(spikes))
        if step < 7 and not (free_after and spikes[step + free_after, sample, line])
    ]
    return found[number]


def where_is(probe: Any) -> tuple[int, int, int]:
    """Return (step or tick, replica, neuron) of the packet a probe met."""
    (sends,) = probe.rows
    replica = int(sends.source[0]) // 4
    base = int(probe.simulation.mapping.keys[_net(probe)].base)
    _, neuron = SpikeKey(INPUTS).decode(sends.key - np.uint32(base))
    return int(sends.tick[0]), replica, int(neuron[0])


def _net(probe: Any) -> str:
    return str(probe.simulation.net_names[int(probe.rows[0].net[0])])


def run(probe: Any, fast: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    watch = Watch()
    result = CASE.run("chip", network=fast, probes=[watch, probe], **options)
    assert probe.hits == 1
    return result, account(watch.simulation)


# ----------------------------------------------------------------------------------- spikes
@pytest.mark.parametrize("nth", range(0, 20, 3))
def test_a_lost_input_spike_is_a_spike_that_was_not_there(
    nth: int, fast: str, straight: Any
) -> None:
    probe = Drop("spike", nth, from_input)
    result, summary = run(probe, fast)
    step, sample, line = where_is(probe)
    without = CASE.spikes
    assert without[step, sample, line] == 1
    without[step, sample, line] = 0
    assert differences(result, CASE.run("offchip", spikes=without)) == []
    assert differences(result, straight) or step > 6, "the last spikes move nothing any more"
    assert summary["copies_dropped"] == 1


@pytest.mark.parametrize("ticks", [1, 2, 4])
@pytest.mark.parametrize("number", [0, 4])
def test_a_late_input_spike_acts_in_the_step_that_drains_it(
    number: int, ticks: int, fast: str, straight: Any
) -> None:
    nth, place = input_spike(ticks, number)
    probe = Delay("spike", nth, from_input, delay_ps=ticks * TICK)
    result, summary = run(probe, fast)
    assert where_is(probe) == place
    step, sample, line = place
    later = CASE.spikes
    later[[step, step + ticks], sample, line] = [0, 1]
    assert differences(result, CASE.run("offchip", spikes=later)) == []
    assert differences(result, straight)
    assert summary["late_spikes"] == 1
    assert summary["copies_dropped"] == 0


@pytest.mark.parametrize("ticks", [STEPS + 1, 2 * STEPS + 3], ids=["phase", "batch"])
def test_a_spike_of_another_phase_or_batch_is_stale(ticks: int, fast: str) -> None:
    """Sent early, it arrives in the backward pass, or in the next wave's forward pass."""
    case = replace(CASE, batch=3, chip={"replicas": 1})
    probe, watch = Delay("spike", 0, delay_ps=ticks * TICK), Watch()
    result = case.run("chip", network=fast, probes=[watch, probe])
    kernels = [watch.simulation.pes[f"r0/layer{i}"].program.kernel for i in (0, 1)]
    assert [kernel.strays.stale_phase for kernel in kernels] == [1, 0]
    assert without_effect(watch.simulation) == {"r0/layer0": 1}
    assert watch.simulation.tracer.late["spike"] == 1
    step, sample, line = where_is(probe)
    without = case.spikes
    assert without[step, sample, line] == 1
    without[step, sample, line] = 0
    assert differences(result, case.run("offchip", spikes=without)) == []


def test_an_altered_input_spike_is_a_spike_of_another_line(fast: str, straight: Any) -> None:
    probe = Alter("spike", 0, from_input, key_xor=1)
    result, _ = run(probe, fast)
    step, sample, line = where_is(probe)
    other = CASE.spikes
    assert other[step, sample, line ^ 1] == 0, "choose another packet"
    other[step, sample, [line, line ^ 1]] = [0, 1]
    assert differences(result, CASE.run("offchip", spikes=other)) == []
    assert differences(result, straight)


@pytest.mark.parametrize("nth", range(0, 24, 4))
def test_a_late_spike_of_a_layer_is_counted(nth: int, fast: str, straight: Any) -> None:
    probe = Delay("spike", nth, from_layers, delay_ps=TICK)
    result, summary = run(probe, fast)
    assert summary["late_spikes"] == 1
    assert differences(result, straight) or int(probe.rows[0].tick[0]) > 6


def test_lost_hidden_spikes_change_the_result(fast: str, straight: Any) -> None:
    """The first spikes of the hidden layer, lost one at a time: each of them matters."""

    def hidden(sends: Sends) -> Any:
        return sends.source % 4 == 1

    for nth in range(8):
        probe = Drop("spike", nth, hidden)
        result, _ = run(probe, fast)
        assert int(probe.rows[0].tick[0]) < 6
        assert differences(result, straight)


# ----------------------------------------------------------------------------------- errors
def error_of(probe: Any) -> tuple[int, int, int]:
    """Return (replica, spike step, neuron) of the error a probe met."""
    (sends,) = probe.rows
    base = int(probe.simulation.mapping.keys[_net(probe)].base)
    _, step, neuron = ErrorKey(OUTPUTS, STEPS).decode(sends.key - np.uint32(base))
    return int(sends.source[0]) // 4, int(step[0]), int(neuron[0])


@pytest.mark.parametrize("nth", range(3))
def test_a_lost_output_error_is_an_error_of_zero(nth: int, fast: str, straight: Any) -> None:
    probe = Drop("error", nth, from_loss)
    result, _ = run(probe, fast)
    sample, _, neuron = error_of(probe)
    errors = CASE.targets["output_error"]
    errors[sample, neuron] = 0
    assert differences(result, CASE.run("offchip", output_error=errors)) == []
    assert differences(result, straight)


@pytest.mark.parametrize("nth", range(3))
def test_an_altered_output_error_is_another_number(nth: int, fast: str, straight: Any) -> None:
    probe = Alter("error", nth, from_loss, payload_xor=0x0040_0000)
    result, _ = run(probe, fast)
    sample, _, neuron = error_of(probe)
    errors = CASE.targets["output_error"].astype(np.float32)
    errors.view(np.uint32)[sample, neuron] ^= 0x0040_0000
    assert differences(result, CASE.run("offchip", output_error=errors)) == []
    assert differences(result, straight)


@pytest.mark.parametrize("nth", range(3))
@pytest.mark.parametrize("in_time", [True, False])
def test_a_late_error_acts_until_its_step_has_passed(
    nth: int, in_time: bool, fast: str, straight: Any
) -> None:
    """Sent in tick T, d ticks late it is there for backward step T - 2 - d, the last one that can
    use the error of a spike in step s is s - 1: so d may be T - 1 - s at most.
    """
    first = Drop("error", nth, from_loss)
    run(first, fast)
    sample, step, neuron = error_of(first)
    late = STEPS - 1 - step + (0 if in_time else 1)
    probe = Delay("error", nth, from_loss, delay_ps=late * TICK)
    result, summary = run(probe, fast)
    assert summary["late_errors"] == 1
    if in_time:
        assert differences(result, straight) == []
        return
    errors = CASE.targets["output_error"]
    errors[sample, neuron] = 0
    assert differences(result, CASE.run("offchip", output_error=errors)) == []
    strays = output_layer(probe.simulation).strays
    assert (strays.passed_errors, strays.unmatched_errors) == (1, 0)
    assert without_effect(probe.simulation) == {f"r{sample}/layer1": 1}


def test_an_error_that_names_no_spike_is_counted(fast: str, straight: Any) -> None:
    bits = 1 << 2  # above the neuron's two bits: the step
    probe = Alter("error", 0, from_loss, key_xor=bits)
    result, _ = run(probe, fast)
    sample, step, neuron = error_of(probe)
    assert straight.spikes[-1][step ^ 1, sample, neuron] == 0, "choose another packet"
    errors = CASE.targets["output_error"]
    errors[sample, neuron] = 0
    assert differences(result, CASE.run("offchip", output_error=errors)) == []
    assert output_layer(probe.simulation).strays.unmatched_errors == 1
    assert without_effect(probe.simulation) == {f"r{sample}/layer1": 1}


def test_hidden_errors_count(fast: str, straight: Any) -> None:
    """Lost one at a time: an error that is not zero changes the lower layer's gradient."""
    every = Alter("error", -1, from_above)
    CASE.run("chip", network=fast, probes=[every])
    values = np.concatenate([sends.payload[:, 0] for sends in every.rows]).view(np.float32)
    # One for every recorded spike; that of step T - 2 is zero and is not sent.
    assert every.seen == straight.spikes[0][: STEPS - 2].sum()
    chosen = np.flatnonzero(values)[::6].tolist()
    assert len(chosen) >= 4
    for nth in chosen:
        result, _ = run(Drop("error", nth, from_above), fast)
        assert differences(result, straight) == ["gradients of layer 0"]
    silent = int(np.flatnonzero(values == 0)[0])
    result, _ = run(Drop("error", silent, from_above), fast)
    assert differences(result, straight) == []


def test_a_hidden_error_may_be_one_tick_late_and_no_more(fast: str, straight: Any) -> None:
    """Sent at step s + 1, it is there at step s and used at s - 1."""
    every = Alter("error", -1, from_above)
    CASE.run("chip", network=fast, probes=[every])
    values = np.concatenate([sends.payload[:, 0] for sends in every.rows]).view(np.float32)
    nth = int(np.flatnonzero(values)[4])
    result, summary = run(Delay("error", nth, from_above, delay_ps=TICK), fast)
    assert differences(result, straight) == []
    assert summary["late_errors"] == 1
    lost, _ = run(Drop("error", nth, from_above), fast)
    probe = Delay("error", nth, from_above, delay_ps=2 * TICK)
    result, summary = run(probe, fast)
    assert differences(result, lost) == []
    assert summary["late_errors"] == 1
    assert hidden_layer(probe.simulation).strays.passed_errors == 1
    assert sum(without_effect(probe.simulation).values()) == 1


def without_effect(simulation: Any) -> dict[str, int]:
    """Return the cores' counters of packets without effect, zeros aside, by vertex."""
    rows = [row for row in simulation.provenance() if row.name == "Packets_without_effect"]
    return {row.part.split()[-1]: row.value for row in rows if row.value}


def hidden_layer(simulation: Any) -> Any:
    return simulation.pes["r0/layer0"].program.kernel


def output_layer(simulation: Any) -> Any:
    return simulation.pes["r0/layer1"].program.kernel


# --------------------------------------------------------------------------------- gradients
def test_a_lost_gradient_flit_names_replica_and_word(fast: str) -> None:
    """Words of 32 bit: layer 0 has 24, so the third flit of replica 1 carries words 8 to 11."""

    def of_replica_1(sends: Sends) -> Any:
        return data_flits(sends) & (sends.source == 5)

    with pytest.raises(ExchangeError) as caught:
        run(Drop("gradient", 2, of_replica_1), fast)
    assert str(caught.value) == (
        "gather: the gradient of replica 1, layer 0 is incomplete: word 8 never arrived at "
        "PE(1,6,0) (optimiser) (4 of words 0 to 23 are missing); look for dropped packets"
    )


def test_a_lost_request_loses_all_its_words(fast: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        run(Drop("gradient", 2, requests), fast)
    assert str(caught.value).startswith(
        "gather: the gradient of replica 0, layer 1 is incomplete: word 0 never arrived at "
        "PE(1,6,0) (optimiser) (18 of words 0 to 17 are missing)"
    )


@pytest.mark.parametrize("nth", [0, 7, 20])
def test_an_altered_gradient_flit_alters_its_word(nth: int, fast: str, straight: Any) -> None:
    """Of one replica, so that the gathered gradient is the word that travelled."""
    alone = replace(CASE, batch=1)
    expected = alone.run("offchip")
    probe = Alter("gradient", nth, data_flits, payload_xor=0x0000_0400, word=1)
    watch = Watch()
    result = alone.run("chip", network=fast, probes=[watch, probe])
    if nth < 6:  # 24 words of layer 0
        layer, word = 0, 4 * nth + 1
    elif nth < 11:  # 18 words of layer 1
        layer, word = 1, 4 * (nth - 6) + 1
    else:
        assert probe.hits == 0
        assert differences(result, expected) == []
        return
    found, old = result.gradients[layer].reshape(-1), expected.gradients[layer].reshape(-1)
    other = np.flatnonzero(found.view(np.uint32) != old.view(np.uint32))
    assert other.tolist() == [word]
    assert int(found.view(np.uint32)[word] ^ old.view(np.uint32)[word]) == 0x0000_0400


def test_a_late_gradient_flit_lengthens_the_exchange_and_nothing_else(
    fast: str, straight: Any
) -> None:
    before = Watch()
    CASE.run("chip", network=fast, probes=[before])
    probe = Delay("gradient", 3, data_flits, delay_ps=5 * TICK)
    result, summary = run(probe, fast)
    assert differences(result, straight) == []
    longer = summary["simulated_s"] - account(before.simulation)["simulated_s"]
    assert 0.004999 < longer < 0.005001


# -------------------------------------------------------------------------------- the host's
def test_a_lost_sample_stops_the_run(fast: str) -> None:
    with pytest.raises(StalledError, match=r"sample 0 of job 0 for replica 0: words 0 to \d+ are"):
        run(Drop("host", 0), fast)
