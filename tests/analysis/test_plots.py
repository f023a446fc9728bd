"""What is drawn is what the raw trace says: read back from the artists."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim import plots
from chipsim.analysis.run import Run, open_run
from chipsim.errors import ChipsimError, TraceError
from chipsim.machine.library import load_machine

from .conftest import sealed

plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra plots")
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_figure_stays_open() -> Iterator[None]:
    yield
    plt.close("all")


def test_latency_cdf(run: Run, raw: dict[str, Rows]) -> None:
    ax = plots.latency_cdf(run)
    lines = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    assert list(lines) == ["spike", "error", "gradient", "weight", "host"]
    for kind, points in lines.items():
        taken = np.array(
            [r["ended_ps"] - r["injected_ps"] for r in raw["packets"] if r["kind"] == kind]
        )
        assert points[0].tolist() == [taken.min() / 1000, 0.0]
        for latency, share in points[1:]:
            assert share == pytest.approx((taken / 1000 <= latency).mean())
        assert points[-1].tolist() == [taken.max() / 1000, 1.0]
    with pytest.raises(TraceError, match="no column 'fase'; did you mean 'phase'"):
        plots.latency_cdf(run, by="fase")


def test_channel_load(run: Run, raw: dict[str, Rows]) -> None:
    from matplotlib.patches import FancyArrowPatch, Rectangle

    chip = load_machine("spinnaker2")
    _, given = plt.subplots()
    ax = plots.channel_load(run, ax=given)
    assert ax is given
    used = {row["channel"] for row in raw["channels"]}
    pairs = set()
    for channel in used:
        node, far = chip.channel_node[channel], chip.port_node[chip.channel_port[channel]]
        if far >= 0:
            ends = [(int(chip.node_x[n]), int(chip.node_y[n])) for n in (node, far)]
            if ends[0] != ends[1]:
                pairs.add(tuple(ends))
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == len(pairs) > 10
    # The widest arrows are the hottest channels: the way of the gradients up to the optimiser.
    widest = max(arrow.get_linewidth() for arrow in arrows)
    assert widest == pytest.approx(2.5)
    assert sum(arrow.get_linewidth() == pytest.approx(widest) for arrow in arrows) == 4
    tiles = {(int(x), int(y)) for x, y in zip(chip.node_x, chip.node_y, strict=True) if x >= 0}
    assert sum(isinstance(patch, Rectangle) for patch in ax.patches) == len(tiles)
    span = max(row["window_end_ps"] for row in raw["channels"])
    busiest = max(
        sum(row["busy_ps"] for row in raw["channels"] if row["channel"] == channel)
        for channel in used
    )
    (bar,) = [axes for axes in ax.figure.axes if axes is not ax]
    assert bar.get_ylim()[1] == pytest.approx(100 * busiest / span)


def test_tick_timeline(run: Run, raw: dict[str, Rows], hurried: Path) -> None:
    ax = plots.tick_timeline(run, 54, 56)
    inside = [r for r in raw["ticks"] if r["done_ps"] >= 54e9 and r["start_ps"] < 56e9]
    bars = [(round(bar.get_x() * 1e9), round(bar.get_width() * 1e9)) for bar in ax.patches]
    wanted = [(r["start_ps"], r["done_ps"] - r["start_ps"]) for r in inside]
    assert sorted(bars) == sorted(wanted)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["forward", "backward", "exchange"]
    assert len(ax.get_yticklabels()) == len({row["pe"] for row in raw["ticks"]})
    late = open_run(hurried)
    edges = [bar.get_edgecolor() for bar in plots.tick_timeline(late).patches]
    red = sum(edge == (1.0, 0.0, 0.0, 1.0) for edge in edges)
    assert red == late.summary["tick_overruns"] > 0
    with pytest.raises(TraceError, match="from 5 to 5 ms, expected an end after it"):
        plots.tick_timeline(run, 5, 5)


def test_latency_load() -> None:
    points: list[dict[str, float | None]] = [
        {"offered_rate": 0.1, "mean_latency_cycles": 3.0},
        {"offered_rate": 0.2, "mean_latency_cycles": None},
    ]
    ax = plots.latency_load({"mesh": points})
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [0.1, 0.2]
    assert line.get_ydata()[0] == 3.0 and np.isnan(line.get_ydata()[1])
    with pytest.raises(ChipsimError, match="point 0 of 'mesh' has no cost; it has offered_rate"):
        plots.latency_load({"mesh": points}, latency="cost")


def test_without_matplotlib(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ChipsimError, match=r"needs matplotlib: pip install 'chipsim\[plots\]'"):
        plots.channel_load(run)


def test_latency_hops(run: Run, raw: dict[str, Rows]) -> None:
    ax = plots.latency_hops(run)
    for container in ax.containers:
        kind = container.get_label()
        line, _, (bars,) = container
        mine = [r for r in raw["packets"] if r["kind"] == kind]
        hops = sorted({r["hops"] for r in mine})
        assert np.round(line.get_xdata()).tolist() == hops
        for number, count in enumerate(hops):
            taken = sorted(r["ended_ps"] - r["injected_ps"] for r in mine if r["hops"] == count)
            middle, p99 = (taken[-(-len(taken) * q // 100) - 1] for q in (50, 99))
            assert line.get_ydata()[number] == pytest.approx(middle / 1000)
            ends = bars.get_segments()[number][:, 1]
            assert ends.tolist() == pytest.approx([taken[0] / 1000, p99 / 1000])


def test_pe_heat(run: Run, raw: dict[str, Rows]) -> None:
    chip = load_machine("spinnaker2")
    ax = plots.pe_heat(run)
    use = ax.images[0].get_array()
    busy: dict[tuple[int, int], dict[int, int]] = {}
    for row in raw["ticks"]:
        tile = int(chip.endpoint_y[row["pe"]]), int(chip.endpoint_x[row["pe"]])
        here = busy.setdefault(tile, {})
        here[row["pe"]] = here.get(row["pe"], 0) + row["busy_ps"]
    assert {tuple(t) for t in np.argwhere(~np.ma.getmaskarray(use))} == busy.keys()
    for tile, pes in busy.items():
        assert use[tile] == pytest.approx(100 * max(pes.values()) / run.span_ps)


def test_raster(run: Run, raw: dict[str, Rows]) -> None:
    spikes, errors = plots.raster(run).get_lines()[:2]
    first = next(r for r in raw["packets"] if r["kind"] == "spike")
    for line, kind, sign in ((spikes, "spike", 1), (errors, "error", -1)):
        mine = {
            (r["packet_source"], r["packet_seq"]): r
            for r in raw["packets"]
            if (r["kind"], r["batch"], r["sample"]) == (kind, first["batch"], first["sample"])
        }
        rows = sorted({(r["packet_source"], r["key"]) for r in mine.values()})
        wanted = sorted(
            (r["injected_ps"] / 1e9, sign * (1 + rows.index((r["packet_source"], r["key"]))))
            for r in mine.values()
        )
        assert sorted(zip(line.get_xdata(), line.get_ydata(), strict=True)) == wanted
    with pytest.raises(TraceError, match="no spike of this batch and sample"):
        plots.raster(run, batch=999)


def test_learning_curve(run: Run, tmp_path: Path, directory: Path) -> None:
    head, *rows = [line.split(",") for line in (directory / "metrics.csv").read_text().splitlines()]
    lines = {line.get_label(): line for line in plots.learning_curve(run).get_lines()}
    assert set(lines) == {"test accuracy", "train accuracy"}
    wanted = [100 * float(row[head.index("test_accuracy")]) for row in rows]
    assert lines["test accuracy"].get_ydata().tolist() == wanted
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    (copy / "metrics.csv").unlink()
    with pytest.raises(TraceError, match="no epoch was finished"):
        plots.learning_curve(open_run(sealed(copy)))


def test_energy_and_power(run: Run, hurried: Path) -> None:
    both = {"one": run, "other": open_run(hurried)}
    for draw, unit in ((plots.energy_bars, 1.0), (plots.mean_power, None)):
        ax = draw(both)
        tops = [0.0, 0.0]
        for container in ax.containers:
            part = container.get_label().removesuffix(" *").replace(" ", "_")
            for place, (bar, of) in enumerate(zip(container, both.values(), strict=True)):
                value = of.summary["energy_mj"][part]
                wanted = value if unit else value / of.summary["simulated_s"]
                assert bar.get_height() == pytest.approx(wanted)
                assert bar.get_y() == pytest.approx(tops[place])
                tops[place] += bar.get_height()
        for top, of in zip(tops, both.values(), strict=True):
            total = sum(of.summary["energy_mj"].values())
            assert top == pytest.approx(total if unit else total / of.summary["simulated_s"])


def test_pareto() -> None:
    points = [
        {"cost": 1, "error": 9, "name": "a"},
        {"cost": 2, "error": 9, "name": "b"},
        {"cost": 2, "error": 4, "name": "c"},
        {"cost": 3, "error": 5, "name": "d"},
        {"cost": 9, "error": 1, "name": "e"},
        {"cost": 9, "error": 1, "name": "f"},
    ]
    ax = plots.pareto(points, "cost", "error", label="name")
    beaten, front, _ = ax.get_lines()
    assert sorted(zip(front.get_xdata(), front.get_ydata(), strict=True)) == [
        (1, 9),
        (2, 4),
        (9, 1),
    ]
    assert len(beaten.get_xdata()) == 3
    assert [text.get_text() for text in ax.texts] == ["a", "c", "e"]
    with pytest.raises(ChipsimError, match="point 0 has no price; it has cost, error, name"):
        plots.pareto(points, "price", "error")


def test_power(run: Run) -> None:
    ax = plots.power(run)
    for line in ax.get_lines():
        part = line.get_label().replace(" ", "_")
        lengths = np.diff(line.get_xdata()) / 1e3
        energy = (line.get_ydata()[:-1] * lengths).sum()
        assert energy == pytest.approx(run.summary["energy_mj"][part])
    assert len(ax.get_lines()) == len(run.summary["energy_mj"])


def test_search_history_and_settings() -> None:
    rows = [
        {"trial": 0, "state": "complete", "value": 0.5, "lr": 0.01},
        {"trial": 1, "state": "pruned", "value": None, "lr": 0.1},
        {"trial": 2, "state": "complete", "value": 0.4, "lr": 0.001},
        {"trial": 3, "state": "complete", "value": 0.75, "lr": 0.0001},
    ]
    own, best, others = plots.search_history(rows).get_lines()
    assert list(own.get_xdata()) == list(best.get_xdata()) == [0, 2, 3]
    assert list(own.get_ydata()) == [50, 40, 75]
    assert list(best.get_ydata()) == [50, 50, 75]
    assert list(others.get_xdata()) == [1]
    ax = plots.search_setting(rows, "lr")
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.get_lines()]
    assert points == [(0.01, 50), (0.001, 40), (0.0001, 75)]
    assert ax.get_xscale() == "log"
    assert [line.get_markerfacecolor() != "none" for line in ax.get_lines()] == [False, False, True]
    figure = plots.search_figure({"trials": rows, "params": ["lr"]})
    assert len(figure.axes) == 2
    # Less than two decades: 1, 2 and 5 of each, as plain numbers, and none at the ticks between.
    narrow = [row | {"xi": 0.4 + 1.3 * row["trial"]} for row in rows]
    ax = plots.search_setting(narrow, "xi")
    low, high = ax.get_xlim()
    shown = [t.get_text() for t in ax.get_xticklabels() if low <= t.get_position()[0] <= high]
    assert shown == ["0.5", "1", "2"]
    assert not any(t.get_text() for t in ax.get_xticklabels(minor=True))
    with pytest.raises(ChipsimError, match=r"^search: trial 0 has no xi; it has trial, state"):
        plots.search_setting(rows, "xi")
