"""The VCD export, read back by a reader of its own: signals hold what the raw trace says."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from chipsim.analysis.export.vcd import _code
from chipsim.cli.main import main
from chipsim.machine.library import load_machine

from .conftest import at_level

Rows = list[dict[str, Any]]
Signals = dict[tuple[str, str, str], list[tuple[int, str]]]
CHIP = load_machine("spinnaker2")


def read_vcd(path: Path) -> Signals:
    """Return (scope, module, signal) -> changes, the value at 0 first."""
    head, body = path.read_text().split("$enddefinitions $end\n")
    assert "$timescale 1 ps $end" in head
    scopes: list[str] = []
    names: dict[str, tuple[str, str, str]] = {}
    for line in head.splitlines():
        words = line.split()
        if words[0] == "$scope":
            scopes.append(words[2])
        elif words[0] == "$upscope":
            scopes.pop()
        elif words[0] == "$var":
            assert words[3] not in names
            names[words[3]] = (scopes[1], scopes[2], words[4])
    assert not scopes
    found: Signals = defaultdict(list)
    time = -1
    for line in body.splitlines():
        if line.startswith("#"):
            assert int(line[1:]) > time or (time, line) == (-1, "#0")
            time = int(line[1:])
        elif not line.startswith("$"):
            bit = re.fullmatch(r"([01])(\S+)|([rsb]\S+) (\S+)", line)
            assert bit, line
            code, value = (bit[2], bit[1]) if bit[1] else (bit[4], bit[3])
            found[names[code]].append((time, value))
    return found


def spans(changes: list[tuple[int, str]]) -> list[tuple[int, int]]:
    edges = [time for time, _ in changes[1:]]
    assert [v for _, v in changes] == ["0", *(["1", "0"] * (len(edges) // 2))]
    return list(zip(edges[::2], edges[1::2], strict=True))


def merged(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(rows):
        if start == end:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def module(label: str) -> str:
    return re.sub(r"\W+", "_", label).strip("_")


@pytest.fixture(scope="module")
def signals(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Signals:
    out = tmp_path_factory.mktemp("vcd") / "run.vcd"
    assert main(["export", str(directory), "--to", "vcd", "--out", str(out)]) == 0
    return read_vcd(out)


def test_pes(signals: Signals, raw: dict[str, Rows]) -> None:
    pes = {row["pe"] for row in raw["ticks"]}
    assert {key[1] for key in signals if key[0] == "pes"} == {
        module(CHIP.endpoint_label(pe)) for pe in pes
    }
    for pe in pes:
        mine = [r for r in raw["ticks"] if r["pe"] == pe]
        name = module(CHIP.endpoint_label(pe))
        busy = spans(signals["pes", name, "busy"])
        assert busy == merged([(r["start_ps"], r["done_ps"]) for r in mine])
        phases = dict(signals["pes", name, "phase"])
        assert set(phases.values()) - {"sidle"} == {f"s{r['phase']}" for r in mine}


def test_channels_are_busy_while_held(signals: Signals, raw: dict[str, Rows]) -> None:
    busy: dict[int, int] = defaultdict(int)
    for row in raw["channels"]:
        busy[row["channel"]] += row["busy_ps"]
    for channel, total in busy.items():
        rows = spans(signals["channels", module(CHIP.channel_label(channel)), "busy"])
        assert sum(end - start for start, end in rows) == total
        granted = [h["granted_ps"] for h in raw["hops"] if h["channel"] == channel]
        assert all(any(a <= t < b for a, b in rows) for t in granted[:20])


def test_packets_in_flight(signals: Signals, raw: dict[str, Rows]) -> None:
    changes = signals["network", "all", "in_flight"]
    assert changes[-1][1] == "b0"
    for time, value in changes[5::997]:
        level = sum(r["injected_ps"] <= time < r["ended_ps"] for r in raw["packets"])
        assert int(value[1:], 2) == level


def test_without_hops_channels_are_shares(
    directory: Path, tmp_path: Path, raw: dict[str, Rows]
) -> None:
    copy = Path(shutil.copytree(directory, tmp_path / "copy"))
    at_level(copy, "packets")
    assert main(["export", str(copy), "--to", "vcd"]) == 0
    signals = read_vcd(tmp_path / "copy.vcd")
    row = raw["channels"][0]
    name = module(CHIP.channel_label(row["channel"]))
    changes = dict(signals["channels", name, "busy_percent"])
    length = row["window_end_ps"] - row["window_start_ps"]
    share = float(changes[row["window_start_ps"]][1:])
    assert share == pytest.approx(100 * row["busy_ps"] / length)


def test_codes_are_printable_and_differ() -> None:
    codes = [_code(number) for number in range(20_000)]
    assert len(set(codes)) == len(codes)
    assert all(33 <= ord(c) <= 126 for code in codes for c in code)
