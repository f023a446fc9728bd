"""Same seed, same bytes: twice, under another hash seed, on either network, at any trace level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.testing.summary import same_summary, summary_differences

SMALL = {
    "train.epochs": "2",
    "train.batch": "3",
    "data.train_samples": "7",
    "data.test_samples": "4",
    "model.layers": "[5, 20, 3]",
    "trace.level": "packets",
}


def words(out: Path, network: str, sets: dict[str, str], seed: int = 5) -> list[str]:
    chosen = {**SMALL, **sets}
    return [
        *("run", "yinyang", "--seed", str(seed), "--network", network, "--out", str(out)),
        *(word for name, value in chosen.items() for word in ("--set", f"{name}={value}")),
    ]


def run(out: Path, network: str, sets: dict[str, str] | None = None, seed: int = 5) -> Path:
    assert main(words(out, network, sets or {}, seed)) == 0
    return out


def files(out: Path, *suffixes: str) -> dict[str, bytes]:
    """Return the run's files by name; those that name host or time are left out."""
    host = {"summary.json", "metrics.csv"}
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in host and (not suffixes or path.suffix in suffixes)
    }


def traces(out: Path) -> dict[str, bytes]:
    found = files(out, ".parquet")
    assert {name.partition("/")[0] for name in found} >= {"packets.parquet", "ticks.parquet"}
    assert sum(map(len, found.values())) > 10_000
    return found


def test_the_same_run_twice(network: str, tmp_path: Path) -> None:
    one, two = (run(tmp_path / name, network) for name in ("one", "two"))
    assert same_summary(one, two)
    assert traces(one) == traces(two)
    assert files(one, ".npz") == files(two, ".npz")


def test_another_seed_is_another_run(fast: str, tmp_path: Path) -> None:
    one, two = run(tmp_path / "one", fast), run(tmp_path / "two", fast, seed=6)
    assert summary_differences(one, two)
    assert files(one, ".npz") != files(two, ".npz")
    assert traces(one) != traces(two)


def test_other_processes_and_hash_seeds(fast: str, tmp_path: Path) -> None:
    here = run(tmp_path / "here", fast)
    for hash_seed in ("0", "4242"):
        out = tmp_path / hash_seed
        done = subprocess.run(
            [sys.executable, "-m", "chipsim", *words(out, fast, {})],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert same_summary(here, out)
        assert traces(here) == traces(out)
        assert files(here, ".npz") == files(out, ".npz")


def test_both_networks(tmp_path: Path) -> None:
    for transport in ("noc_direct", "router_multicast"):
        sets = {"mapping.transport": transport, "trace.level": "hops"}
        here = {
            name: run(tmp_path / f"{name} {transport}", name, sets)
            for name in ("compiled", "simpy")
        }
        assert same_summary(here["compiled"], here["simpy"])
        assert traces(here["compiled"]) == traces(here["simpy"])
        assert any(name.startswith("hops.parquet") for name in traces(here["simpy"]))
        assert files(here["compiled"], ".npz") == files(here["simpy"], ".npz")


def test_tracing_changes_no_result(network: str, tmp_path: Path) -> None:
    levels = {
        level: run(tmp_path / level, network, {"trace.level": level})
        for level in ("summary", "packets", "hops")
    }
    for level in ("packets", "hops"):
        assert same_summary(levels["summary"], levels[level])
        assert files(levels["summary"], ".npz") == files(levels[level], ".npz")
    hops = traces(levels["hops"])
    for name, content in traces(levels["packets"]).items():
        assert hops[name] == content


def test_probes_that_only_look_change_nothing(fast: str) -> None:
    from tests.eventprop_chip.cases import Case, differences

    class Look:
        def __init__(self) -> None:
            self.seen = 0

        def on_start(self, simulation: Any) -> None: ...

        def on_sends(self, sends: Any) -> None:
            self.seen += len(sends)

        def on_deliveries(self, deliveries: Any) -> None:
            self.seen += len(deliveries)

        def on_tick(self, tick: int, time_ps: int) -> None:
            self.seen += 1

        def on_phase(self, phase: str, batch: int, time_ps: int) -> None:
            self.seen += 1

    case, look = Case(31, (4, 6, 3), scale=14.0), Look()
    assert differences(case.run("chip", network=fast), case.run("chip", probes=[look])) == []
    assert look.seen > 100


CHILD = """
import json
import numpy as np
from eventprop_apps import evaluate
draws = np.random.default_rng(1)
weights = [draws.normal(4, 5, (6, 4)), draws.normal(4, 5, (3, 6))]
spikes = draws.random((12, 5, 4)) < 0.3
for network in ("compiled", "simpy"):
    result = evaluate(weights, spikes, [0, 1, 2, 0, 1], network=network, replicas=2)
    print(json.dumps([
        [s.tobytes().hex() for s in result.spikes],
        [g.tobytes().hex() for g in result.gradients],
        result.loss,
    ]))
"""


def test_evaluate_under_other_hash_seeds() -> None:
    found = []
    for hash_seed in ("1", "99"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found += [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 4
    assert all(one == found[0] for one in found)
    assert any(np.frombuffer(bytes.fromhex(g), np.float32).any() for g in found[0][1])


@pytest.mark.nightly
def test_the_default_network_twice(fast: str, tmp_path: Path) -> None:
    sets = {
        "train.epochs": "1",
        "train.batch": "22",
        "data.train_samples": "220",
        "data.test_samples": "50",
        "model.layers": "[5, 120, 3]",
    }
    one, two = (run(tmp_path / name, fast, sets) for name in ("one", "two"))
    assert same_summary(one, two)
    assert traces(one) == traces(two)
