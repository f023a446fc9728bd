"""``--set mapping.file``: the run's traffic follows the file, the results do not change."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chipsim.cli.main import main
from chipsim.machine.library import load_machine
from chipsim.mapping.files import read

SMALL = [
    "--set", "train.epochs=1", "--set", "train.batch=2", "--set", "model.layers=[5,8,3]",
    "--set", "data.train_samples=4", "--set", "data.test_samples=2", "--set", "model.steps=12",
    "--set", "data.first_step=2",
]  # fmt: skip


def summary(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "summary.json").read_text())
    return found


def test_the_run_goes_where_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    plain, moved = tmp_path / "plain", tmp_path / "moved"
    more = ["--set", "trace.level=packets"]
    words = ["map", "yinyang", *SMALL, "--place", "random", "--seed", "5", "--out", str(file)]
    assert main([*words, "--json"]) == 0
    assert main(["run", "yinyang", *SMALL, *more, "--out", str(plain)]) == 0
    follow = ["--set", f"mapping.file={file}"]
    assert main(["run", "yinyang", *SMALL, *more, *follow, "--out", str(moved)]) == 0
    mapping = read(file, load_machine("spinnaker2"))
    placed = {str(name): int(end) for name, end in mapping.placement.items()}
    nets = mapping.application.nets
    ends = {}
    for out in (moved, plain):
        table = pq.read_table(out / "packets.parquet")
        rows = zip(*(table[n].to_pylist() for n in ("kind", "net", "destination")), strict=True)
        ends[out] = {(n, end) for kind, n, end in rows if str(kind) in ("spike", "error", "weight")}
    followed = {(n, placed[str(sink)]) for n, net in enumerate(nets) for sink in net.sinks}
    assert ends[moved] and ends[moved] <= followed
    assert not ends[plain] <= followed
    assert summary(plain)["test_accuracy"] == summary(moved)["test_accuracy"]
    assert (plain / "weights.npz").read_bytes() == (moved / "weights.npz").read_bytes()


@pytest.mark.parametrize("kind", ["missing", "another application"])
def test_a_file_that_does_not_belong_is_refused(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mapping.json"
    if kind == "another application":
        words = ["map", "ff:n=8,layers=2", "--place", "sequential", "--out", str(file), "--json"]
        assert main(words) == 0
        capsys.readouterr()
    assert main(["run", "yinyang", *SMALL, "--set", f"mapping.file={file}"]) == 2
    text = capsys.readouterr().err
    if kind == "missing":
        assert "mapping.file: " in text and "is no file; write one with chipsim map" in text
    else:
        assert "lacks vertex 'r0/input' of the application" in text
