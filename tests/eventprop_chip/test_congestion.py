"""Training under congestion goes on; late packets are counted by kind. A small instance."""

from __future__ import annotations

from eventprop_apps.experiments.congestion import trained

FEW = {"epochs": 1, "samples": 24, "tests": 8, "senders": 6, "rate": 5.0}


def test_short_ticks_make_packets_late_and_training_goes_on() -> None:
    roomy, tight = trained(60, **FEW), trained(8, **FEW)
    assert roomy["overruns"] == roomy["late_share"] == roomy["unmatched"] == 0
    assert tight["overruns"] > 0
    assert tight["late"]["spike"] > 0 and tight["late"]["error"] > 0
    assert 0 < tight["late_share"] <= 1
    # 3 training batches of 54 ticks and a test batch of 28, six senders with five packets a tick.
    assert 0.8 < roomy["background"] / ((3 * 54 + 28) * 6 * 5) < 1.2
    assert tight["background"] == roomy["background"]  # it does not depend on the tick's length
