"""Spikes as NIRData and as Neo blocks, read back by these packages: the events of the raw trace."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.analysis.export.neo import to_neo
from chipsim.analysis.export.nirdata import read_nirdata, to_nirdata
from chipsim.analysis.run import Run
from chipsim.cli.main import main
from chipsim.errors import ChipsimError, TraceError

Rows = list[dict[str, Any]]


@pytest.fixture
def sent(raw: dict[str, Rows]) -> dict[tuple[int, int], dict[str, Any]]:
    """Each spike packet once, however many copies it had."""
    spikes = (r for r in raw["packets"] if r["kind"] == "spike")
    return {(r["packet_source"], r["packet_seq"]): r for r in spikes}


def test_nirdata(
    run: Run, directory: Path, tmp_path: Path, raw: dict[str, Rows], sent: Any
) -> None:
    pytest.importorskip("nir.data_ir", reason="needs the package nir")
    pytest.importorskip("h5py")
    import h5py
    from nir.data_ir import EventData

    out = tmp_path / "spikes.h5"
    assert main(["export", str(directory), "--to", "nirdata", "--out", str(out)]) == 0
    data = read_nirdata(out)
    begun: dict[int, int] = {}
    for row in raw["ticks"]:
        begun[row["batch"]] = min(row["start_ps"], begun.get(row["batch"], row["start_ps"]))
    by_vertex = defaultdict(list)
    for row in sent.values():
        by_vertex[row["packet_source"]].append(row)
    assert set(data.nodes) == {f"vertex{v}" for v in by_vertex}
    for vertex, rows in by_vertex.items():
        events = data.nodes[f"vertex{vertex}"].observables["spikes"]
        assert isinstance(events, EventData)
        keys = sorted({r["key"] for r in rows})
        assert events.n_neurons == len(keys)
        with h5py.File(out) as file:
            group = file[f"nodes/vertex{vertex}/observables/spikes"]
            pairs = list(
                zip(group["batch"][()].tolist(), group["sample"][()].tolist(), strict=True)
            )
        assert pairs == sorted({(r["batch"], r["sample"]) for r in rows})
        for number, pair in enumerate(pairs):
            mine = [r for r in rows if (r["batch"], r["sample"]) == pair]
            valid = events.idx[number] >= 0
            assert np.isinf(events.time[number][~valid]).all()
            got = Counter(
                (int(i), round(t * 1e12))
                for i, t in zip(events.idx[number][valid], events.time[number][valid], strict=True)
            )
            assert got == Counter(
                (keys.index(r["key"]), r["injected_ps"] - begun[pair[0]]) for r in mine
            )
            assert events.time[number][valid].max() <= events.t_max
    gridded = events.to_time_gridded(1e-3)  # nir's own arithmetic takes it
    assert gridded.shape[0] == len(pairs)
    direct = to_nirdata(run)
    for name, node in direct.nodes.items():
        assert (node.observables["spikes"].idx == data.nodes[name].observables["spikes"].idx).all()


@pytest.mark.parametrize("suffix", [".pkl", ".nix"])
def test_neo(directory: Path, tmp_path: Path, sent: Any, suffix: str) -> None:
    neo = pytest.importorskip("neo", reason="needs the package neo")
    if suffix == ".nix":
        pytest.importorskip("nixio", reason="needs the package nixio")
    out = tmp_path / f"spikes{suffix}"
    end = "8" if suffix == ".nix" else "1000"  # NIX takes milliseconds a train
    words = ["--to", "neo", "--out", str(out), "--end-ms", end]
    assert main(["export", str(directory), *words]) == 0
    file = neo.io.PickleIO(str(out)) if suffix == ".pkl" else neo.io.NixIO(str(out), "ro")
    block = file.read_block()
    rows = [r for r in sent.values() if r["injected_ps"] < int(end) * 10**9]
    keys = defaultdict(set)
    for row in rows:
        keys[row["packet_source"]].add(row["key"])
    got: Counter[Any] = Counter()
    for segment in block.segments:
        for train in segment.spiketrains:
            about = {k: int(v) for k, v in train.annotations.items() if k != "nix_name"}
            key = sorted(keys[about["vertex"]])[about["neuron"]]
            assert train.t_start <= train.min() and train.max() <= train.t_stop
            for time in train.rescale("ms").magnitude.tolist():
                identity = about["vertex"], key, about["batch"], about["sample"]
                got[(*identity, round(time * 1e9))] += 1
    assert got == Counter(
        (r["packet_source"], r["key"], r["batch"], r["sample"], r["injected_ps"]) for r in rows
    )


def test_refusals(
    run: Run,
    tmp_path: Path,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(TraceError, match=r"no file of spikes that chipsim has written"):
        (tmp_path / "other.h5").write_bytes(b"none")
        read_nirdata(tmp_path / "other.h5")
    words = ["export", str(directory), "--to", "neo", "--out", str(tmp_path / "a.txt")]
    assert main(words) == 2
    assert "got the suffix '.txt', expected .pkl or .nix" in capsys.readouterr().err
    words = ["export", str(directory), "--to", "nirdata", "--start-ms", "54.2"]
    assert main([*words, "--end-ms", "54.3"]) == 2
    assert "no spike was sent in this window" in capsys.readouterr().err
    for module in ("nir", "h5py", "neo"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ChipsimError, match=r"pip install 'chipsim\[nir\]'"):
        to_nirdata(run)
    with pytest.raises(ChipsimError, match=r"pip install 'chipsim\[neo\]'"):
        to_neo(run)
