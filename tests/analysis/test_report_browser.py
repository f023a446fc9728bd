"""The report in a real browser: it draws, sorts, slides, prints, in light and dark, offline."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from chipsim.cli.main import main

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no Chromium here (.ci/run installs Debian's; elsewhere: apt-get install chromium)",
)


@pytest.fixture(scope="module")
def page(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser") / "page.html"
    assert main(["report", str(directory), "--out", str(out)]) == 0
    return out


def browse(page: Path, hash_: str, *words: str, width: int = 1240) -> str:
    """Run the browser on a page, without a network, and return what it printed."""
    assert BROWSER is not None
    profile = page.parent / f"profile{len(list(page.parent.iterdir()))}"
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND"),
            *(f"--window-size={width},3000", *words, f"{page.as_uri()}{hash_}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def selftest(page: Path) -> Any:
    dom = browse(page, "#selftest", "--dump-dom")
    (found,) = re.findall(r'<pre id="selftest">(.*?)</pre>', dom)
    return json.loads(found)


def test_tables_sort_and_the_slider_moves(page: Path) -> None:
    got = selftest(page)
    assert got["problems"] == []
    # Each column both ways; all positions of the slider; all zooms; the charts are there.
    assert got["sorts"] > 100 and got["slides"] >= 4 and got["zooms"] == 5 and got["charts"] > 15


def test_charts_of_a_phone_have_letters_of_their_size(page: Path) -> None:
    """Charts scale to the page: one of 1,080 units on a screen of 500 has letters of 5 pixels."""
    widths = {
        width: set(
            re.findall(r'viewBox="0 0 (\d{3,4}) ', browse(page, "", "--dump-dom", width=width))
        )
        for width in (500, 1240)
    }
    assert "1080" in widths[1240] and "480" not in widths[1240]
    assert "480" in widths[500] and "1080" not in widths[500]


def test_sections_and_figures_are_drawn(page: Path) -> None:
    dom = browse(page, "", "--dump-dom")
    for title in (
        "What was run",
        "Learning curve",
        "Chip map",
        "Latency",
        "Latency against hops",
        "Where packets waited",
        "Late packets and overruns",
        "A batch over time",
        "Spikes forward, errors backward",
        "Energy and power",
    ):
        assert f"<h2>{title}</h2>" in dom
    markup = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert markup.lower().count("not recorded") <= 3  # peaks of queues and FIFOs
    assert "NaN" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    strokes = re.findall(r'<path d="([^"]*)" data-kind="(spike|error)"', dom)
    (run,) = json.loads(re.findall(r'type="application/json">\n(.*?)\n</script>', dom)[0])["runs"]
    for path, kind in strokes:
        assert path.count("M") == len(run["raster"][kind]["events"])
    assert [kind for _, kind in strokes] == ["spike", "error"]


def test_two_runs_are_drawn_side_by_side(directory: Path, hurried: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.html"
    assert main(["report", str(directory), str(hurried), "--out", str(out)]) == 0
    dom = browse(out, "", "--dump-dom")
    assert "<h2>Side by side</h2>" in dom and "Settings that differ" in dom
    assert re.search(r"<td>tick.us</td><td class=\"n\">1000</td><td class=\"n\">30</td>", dom)
    assert selftest(out)["problems"] == []


def pixel(png: bytes) -> tuple[int, ...]:
    """Return the first pixel of a PNG; the first row is always stored as differences to zero."""
    width, _, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and width == 1240
    data = b"".join(
        png[m.end() : m.end() + struct.unpack(">I", png[m.start() - 4 : m.start()])[0]]
        for m in re.finditer(b"IDAT", png)
    )
    return tuple(zlib.decompress(data)[1 : 4 if colour == 2 else 5][:3])


@pytest.mark.parametrize(
    ("words", "hash_", "colour"),
    [
        (("--blink-settings=preferredColorScheme=1",), "", (255, 255, 255)),
        (("--blink-settings=preferredColorScheme=0",), "", (0x12, 0x15, 0x1A)),
        ((), "#dark", (0x12, 0x15, 0x1A)),
        ((), "#light", (255, 255, 255)),
    ],
)
def test_light_and_dark(
    page: Path, tmp_path: Path, words: tuple[str, ...], hash_: str, colour: tuple[int, ...]
) -> None:
    picture = tmp_path / "page.png"
    browse(page, hash_, f"--screenshot={picture}", *words)
    assert pixel(picture.read_bytes()) == colour


def test_prints(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.pdf"
    browse(page, "", f"--print-to-pdf={out}", "--no-pdf-header-footer")
    data = out.read_bytes()
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", data)) >= 4
