"""The final table: every field of a full summary shows, a missing one leaves no gap."""

from __future__ import annotations

from typing import Any

from chipsim.cli.summary import render

FULL: dict[str, Any] = {
    "seed": 3,
    "test_accuracy": 0.9123,
    "train_accuracy": 0.93,
    "epochs": 5,
    "batches": 1135,
    "train_samples": 5000,
    "packets": {"spike": 123456, "error": 789, "gradient": 1000, "weight": 10, "host": 5},
    "packets_injected": 125260,
    "packet_hops": 1000000,
    "copies_expected": 200,
    "copies_delivered": 198,
    "copies_dropped": 2,
    "copies_in_flight": 0,
    "latency_ns": {"median": 66.7, "p99": 1234.56, "max": None},
    "late_spikes": 0,
    "late_errors": 1,
    "unmatched_errors": 0,
    "stale_phase": 0,
    "tick_overruns": 0,
    "tick_use_max": 0.1234,
    "simulated_s": 61.2,
    "cpu_s": 30.5,
    "wall_s": 31.0,
    "energy_mj": {"pe": 1.5, "noc": 0.001, "links": 0.0},
    "assumptions": [
        {"name": f"pe.cycles.op{i}", "value": i, "kind": "A", "source": "guess"} for i in range(9)
    ]
    + [
        {"name": "energy.link_bit_pj", "value": 1.0, "kind": "A", "source": "unpublished"},
        {"name": "noc.hop_cycles", "value": 6, "kind": "U", "source": "set by the user; was 5 (D)"},
    ],
}

EXPECTED = """\
yinyang, seed 3
  test accuracy             91.23 %
  train accuracy            93.00 %
  trained                   5 epochs, 5,000 samples each, 1,135 batches in all

packets
  spike                     123,456
  error                     789
  gradient                  1,000
  weight                    10
  host                      5
  all                       125,260
  packet-hops               1,000,000
  copies                    200 expected: 198 delivered, 2 dropped
  latency                   median 66.7 ns, p99 1,234.6 ns
  late                      0 late spikes, 1 late errors, 0 unmatched errors, 0 stale phase

time
  longest tick              12.3 % of the tick
  tick overruns             0
  simulated                 61.200 s
  CPU                       30.500 s
  real                      31.000 s

energy
  pe                        1.5 mJ
  noc                       0.001 mJ
  links                     0 mJ *
  total                     1.501 mJ

* rests on assumed figures:
  energy.link_bit_pj = 1.0

9 more assumed figures were read:
  pe.cycles.op0, pe.cycles.op1, pe.cycles.op2, pe.cycles.op3, pe.cycles.op4, pe.cycles.op5,
  pe.cycles.op6, pe.cycles.op7, pe.cycles.op8

set for this run:
  noc.hop_cycles = 6 (set by the user; was 5 (D))"""


def test_full_summary() -> None:
    assert render("yinyang", FULL) == EXPECTED


def test_what_is_missing_is_left_out() -> None:
    assert render("toy", {"seed": 1, "epochs": 2}) == (
        "toy, seed 1\n  trained                   2 epochs"
    )
