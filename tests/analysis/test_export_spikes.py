"""Spikes as NIRData and as Neo blocks, read back by these packages: the events of the raw trace."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.analysis.export.events import spike_events
from chipsim.analysis.export.neo import to_neo
from chipsim.analysis.export.nirdata import read_nirdata, to_nirdata
from chipsim.analysis.export.window import Window
from chipsim.analysis.run import Run
from chipsim.cli.main import main
from chipsim.errors import ChipsimError, TraceError

from .conftest import raw_rows

Rows = list[dict[str, Any]]


@pytest.fixture
def sent(directory: Path) -> Rows:
    """The recorded spikes."""
    return raw_rows(directory, "spikes")


def test_nirdata(
    run: Run, directory: Path, tmp_path: Path, raw: dict[str, Rows], sent: Rows
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
    for row in sent:
        by_vertex[row["vertex"]].append(row)
    assert set(data.nodes) == {f"vertex{v}" for v in by_vertex}
    for vertex, rows in by_vertex.items():
        events = data.nodes[f"vertex{vertex}"].observables["spikes"]
        assert isinstance(events, EventData)
        assert events.n_neurons == max(r["neuron"] for r in rows) + 1
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
            assert got == Counter((r["neuron"], r["time_ps"] - begun[pair[0]]) for r in mine)
            assert events.time[number][valid].max() <= events.t_max
    gridded = events.to_time_gridded(1e-3)  # nir's own arithmetic takes it
    assert gridded.shape[0] == len(pairs)
    direct = to_nirdata(run)
    for name, node in direct.nodes.items():
        assert (node.observables["spikes"].idx == data.nodes[name].observables["spikes"].idx).all()


@pytest.mark.parametrize("suffix", [".pkl", ".nix"])
def test_neo(directory: Path, tmp_path: Path, sent: Rows, suffix: str) -> None:
    neo = pytest.importorskip("neo", reason="needs the package neo")
    if suffix == ".nix":
        pytest.importorskip("nixio", reason="needs the package nixio")
    out = tmp_path / f"spikes{suffix}"
    end = "8" if suffix == ".nix" else "1000"  # NIX takes milliseconds a train
    words = ["--to", "neo", "--out", str(out), "--end-ms", end]
    assert main(["export", str(directory), *words]) == 0
    file = neo.io.PickleIO(str(out)) if suffix == ".pkl" else neo.io.NixIO(str(out), "ro")
    block = file.read_block()
    rows = [r for r in sent if r["time_ps"] < int(end) * 10**9]
    got: Counter[Any] = Counter()
    for segment in block.segments:
        for train in segment.spiketrains:
            about = {k: int(v) for k, v in train.annotations.items() if k != "nix_name"}
            assert train.t_start <= train.min() and train.max() <= train.t_stop
            for time in train.rescale("ms").magnitude.tolist():
                identity = (about[name] for name in ("vertex", "neuron", "batch", "sample"))
                got[(*identity, round(time * 1e9))] += 1
    assert got == Counter(
        (r["vertex"], r["neuron"], r["batch"], r["sample"], r["time_ps"]) for r in rows
    )


def test_neurons_are_the_model_s_and_not_ranks(
    run: Run, raw: dict[str, Rows], sent: Rows, directory: Path
) -> None:
    """A layer of n neurons numbers them in the lowest bits of its keys; a part of a run shows the
    same neurons as the whole."""
    layers = run.experiment["model"]["layers"]
    names = [vertex["name"].split("/")[-1] for vertex in run.vertices]
    size_of = dict(zip(("input", "layer0", "layer1"), layers, strict=True))
    keys = Counter()
    for row in {(r["packet_source"], r["packet_seq"]): r for r in raw["packets"]}.values():
        if row["kind"] == "spike":
            size = size_of[names[row["packet_source"]]]
            neuron = row["key"] % (1 << (size - 1).bit_length())
            keys[(row["packet_source"], neuron, row["tick_sent"], row["sample"])] += 1
    assert keys == Counter((r["vertex"], r["neuron"], r["tick"], r["sample"]) for r in sent)
    part = spike_events(run, Window(start_ps=4 * 10**9, end_ps=9 * 10**9))
    inside = [r for r in sent if 4 * 10**9 <= r["time_ps"] < 9 * 10**9]
    assert 0 < len(part) == len(inside) < len(sent)
    assert part.neuron.tolist() == [r["neuron"] for r in inside]
    whole = spike_events(run, Window())
    assert {v: whole.neurons[v] for v in part.neurons} == part.neurons


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
