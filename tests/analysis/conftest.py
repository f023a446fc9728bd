"""One small run with every grant traced, and its raw rows as plain Python."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chipsim.analysis.run import Run, open_run
from chipsim.cli.main import main
from chipsim.trace.marks import marks_of
from chipsim.trace.schema import SCHEMAS
from chipsim.trace.status import write_status

Rows = list[dict[str, Any]]

SMALL = {
    "train.epochs": 1,
    "train.batch": 11,
    "data.train_samples": 22,
    "data.test_samples": 4,
    "trace.level": "hops",
}


def make_run(out: Path, **changes: object) -> Path:
    """Run a small Yin-Yang into ``out``; settings by name with ``__`` for a dot."""
    settings = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    words = [f"--set={name}={value}" for name, value in settings.items()]
    assert main(["run", "yinyang", *words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("traced") / "run", trace__rows_per_part=5000)


@pytest.fixture(scope="session")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose tick is too short for its work: overruns, late packets."""
    return make_run(tmp_path_factory.mktemp("hurried") / "run", tick__us=30, data__train_samples=11)


@pytest.fixture
def run(directory: Path) -> Run:
    return open_run(directory)


@pytest.fixture(scope="session")
def raw(directory: Path) -> dict[str, Rows]:
    """Rows of each data set, read without chipsim."""
    names = ("packets", "hops", "ticks", "channels")
    return {n: raw_rows(directory, n) for n in names}


def raw_rows(directory: Path, name: str) -> Rows:
    rows: Rows = pq.read_table(directory / f"{name}.parquet").to_pylist()
    return rows


def sealed(run: Path) -> Path:
    """Give a finished run whose files were changed the marks of what it has now."""
    write_status(run, "finished", marks=marks_of(run))
    return run


def at_level(run: Path, level: str) -> None:
    """Make a run's directory, traced with every grant, one of a lower level."""
    lost = ["hops"] if level == "packets" else list(SCHEMAS)
    for name in lost:
        shutil.rmtree(run / f"{name}.parquet", ignore_errors=True)
    text = (run / "experiment.toml").read_text()
    (run / "experiment.toml").write_text(
        re.sub(r'^level = "(hops|packets)"$', f'level = "{level}"', text, flags=re.M)
    )
