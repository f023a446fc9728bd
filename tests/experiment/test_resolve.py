from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from chipsim import registry
from chipsim.errors import ExperimentError, PluginError, TraceError
from chipsim.experiment import ExperimentKind, find_kind, names, resolve, validate
from chipsim.experiment.model import SECTIONS, Section, TraceSection, flatten
from chipsim.experiment.tracing import make_recorder
from chipsim.trace import toml
from chipsim.trace.window import Window
from eventprop_apps.experiment import KINDS, YINYANG

ROOT = Path(__file__).parents[2]
TRACED, QUIET = {"trace.level": "packets"}, {"trace.level": "summary"}


def problems(*arguments: Any, **keywords: Any) -> tuple[str, ...]:
    with pytest.raises(ExperimentError) as caught:
        resolve(*arguments, **keywords)
    return caught.value.problems


def file(directory: Path, text: str) -> Path:
    path = directory / "mine.toml"
    path.write_text(text)
    return path


def test_the_default_is_the_authors_configuration() -> None:
    """The figures of facts/eventprop.md section 3."""
    values = resolve("yinyang").values.model_dump(exclude_none=True)
    assert values["model"] == {
        "layers": [5, 120, 3], "steps": 27, "dt_ms": 1.0, "tau_mem_ms": 20.0, "tau_syn_ms": 5.0,
        "factors": "exp", "dtype": "float32", "threshold": 1.0, "recurrent": [], "parts": [],
        "split": "neurons",
    }  # fmt: skip
    assert values["loss"] == {
        "name": "ttfs", "form": "offchip", "xi": 1.5, "alpha": 0.01, "beta": 100.0,
        "tau0_ms": 0.5, "tau1_ms": 6.4, "value": "max",
    }  # fmt: skip
    assert values["optimizer"] == {
        "name": "adam", "lr": 0.0019, "lr_decay": 0.95, "beta1": 0.9, "beta2": 0.999,
        "epsilon": 1e-8, "weight_decay": 6.5e-7, "schedule": "exponential", "step_epochs": 10,
        "momentum": 0.9, "nesterov": False,
    }  # fmt: skip
    assert values["data"] == {
        "train_samples": 5000, "train_seed": 42, "test_samples": 1000, "test_seed": 40,
        "first_step": 2,
    }  # fmt: skip
    assert values["init"] == {"scales": [[3.2, 3.2], [5.2, 2.8]]}
    assert values["train"]["batch"] == 22
    assert values["machine"] == {"name": "spinnaker2"}
    assert values["mapping"] == {"placer": "paper", "transport": "noc_direct"}
    assert values["tick"] == {"us": 1000}
    assert values["trace"] == {"level": "summary"}


def test_sections_are_those_of_the_design() -> None:
    table = resolve("yinyang").table()
    assert list(table) == ["experiment", *SECTIONS]


def test_a_default_file_gives_every_field_that_has_no_default() -> None:
    document = tomllib.loads(YINYANG.defaults.read_text())
    for name, field in YINYANG.model.model_fields.items():
        if not field.is_required():  # a section that may be left out
            assert name not in document
            continue
        required = {n for n, f in field.annotation.model_fields.items() if f.is_required()}
        assert required == set(document[name])


def test_every_field_says_what_it_is() -> None:
    experiment = resolve("yinyang")
    comments = experiment.comments()
    for section in SECTIONS:
        assert comments[section]
        for field in YINYANG.model.model_fields[section].annotation.model_fields:
            assert comments[f"{section}.{field}"], (section, field)
    dimensioned = [key for key in comments if key.endswith("_ms")]
    assert dimensioned
    assert all("[ms]" in comments[key] for key in dimensioned)


def test_settings_reach_every_section_and_the_machine() -> None:
    experiment = resolve(
        "yinyang",
        {
            "train.epochs": 3,
            "train.batch": 7,
            "data.train_samples": 100,
            "machine.noc.hop_cycles": 7,
            "machine.noc.fifo_packets": "unbounded",
            "network.model": "simpy",
            "trace.level": "packets",
            "trace.kinds": ["error"],
            "model.dt_ms": 1,
        },
    )
    values = experiment.values
    assert (values.train.epochs, values.train.batch, values.network.model) == (3, 7, "simpy")
    assert values.machine.settings() == {"noc.hop_cycles": 7, "noc.fifo_packets": "unbounded"}
    assert values.trace.kinds == ["error"]
    assert type(values.model.dt_ms) is float


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_seed(seed: int) -> None:
    assert resolve("yinyang", {"train.seed": 3}, seed).seed == seed
    assert resolve("yinyang", {"train.seed": seed}).seed == seed


def test_a_bad_seed_is_named_by_its_option() -> None:
    span = "expected an integer from 0 to 9223372036854775807"
    assert problems("yinyang", seed=-1) == (f"--seed: train.seed: got -1 (integer), {span}",)


def test_a_file_gives_what_differs_and_keeps_the_rest(tmp_path: Path) -> None:
    text = 'experiment = "yinyang"\n[train]\nbatch = 3\n[machine.noc]\nhop_cycles = 9\n'
    experiment = validate(file(tmp_path, text), {"train.epochs": 2})
    assert experiment.values.train.batch == 3
    assert experiment.values.train.epochs == 2
    assert experiment.values.model == resolve("yinyang").values.model
    assert experiment.values.machine.settings() == {"noc.hop_cycles": 9}
    assert experiment.source == str(tmp_path / "mine.toml")


def test_a_resolved_file_gives_the_same_experiment(tmp_path: Path) -> None:
    sets = {
        "machine.noc.hop_cycles": 7,
        "train.seed": 5,
        "trace.level": "hops",
        "trace.end_ms": 3.5,
    }
    first = resolve("yinyang", sets)
    text = toml.dumps(first.table(), first.comments())
    again = resolve(str(file(tmp_path, text)))
    assert again.values == first.values
    assert toml.dumps(again.table(), again.comments()) == text


def test_the_shipped_file_is_a_file_like_any_other() -> None:
    path = ROOT / "eventprop_apps" / "experiments" / "yinyang.toml"
    assert resolve(path).values == resolve("yinyang").values


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.epoch", 3, "unknown key; did you mean 'train.epochs'?"),
        ("trian.epochs", 3, "unknown section; did you mean [train]?"),
        ("loss.lr", 3, "did you mean 'optimizer.lr'?"),
        ("epochs", 3, "did you mean 'train.epochs'?"),
        ("tick.ms", 1, "wrong unit ms; expected tick.us, in us"),
        ("model.tau_mem_us", 20000, "wrong unit us; expected model.tau_mem_ms, in ms"),
        ("model.tau_mem", 20, "unknown key; expected model.tau_mem_ms, in ms"),
        ("data.train_samples", -5, "got -5 (integer), expected an integer from 1 to 1000000000"),
        ("train.batch", 0, "got 0 (integer), expected an integer from 1 to 1000000000"),
        ("train.batch", 22.0, "got 22.0 (number), expected an integer from 1 to 1000000000"),
        ("train.batch", True, "got True (flag), expected an integer from 1 to 1000000000"),
        ("train.batch", "all", "got 'all' (text), expected an integer from 1 to 1000000000"),
        ("tick.us", 0.5, "got 0.5 (number), expected an integer from 1 to 1000000000"),
        ("tick.us", 2**70, "got 1180591620717411303424 (integer), expected an integer from 1 to"),
        (
            "model.dt_ms",
            "1 ms",
            "got '1 ms' (text), expected a number above 0 to 1e+12; give the number of ms alone, "
            "without its unit",
        ),
        ("model.dt_ms", float("nan"), "got nan (number), expected a number above 0 to 1e+12"),
        ("optimizer.beta1", 1.5, "got 1.5 (number), expected a number from 0 to 1"),
        (
            "optimizer.name",
            "rmsprop",
            "got 'rmsprop' (text), expected one of 'adam', 'adamw', 'sgd'",
        ),
        ("model.factors", "Exp", "got 'Exp' (text), expected one of 'exp', 'euler'"),
        ("model.layers", 5, "got 5 (integer), expected a list of at least 2 integers from 1 to"),
        ("train", 5, "got 5 (integer), expected a section with keys"),
        ("mapping.placer", "papper", "unknown 'papper'; did you mean 'paper'?"),
        ("mapping.router", "lut_balance", "unknown 'lut_balance'; did you mean 'lut_balanced'?"),
        ("mapping.router", "mine.py:route", "strategy file mine.py cannot be read: No such file"),
        ("trace.level", "all", "got 'all' (text), expected one of 'summary', 'packets', 'hops'"),
    ],
)
def test_one_wrong_setting_is_one_message(path: str, value: Any, message: str) -> None:
    (found,) = problems("yinyang", {path: value})
    assert found.startswith("--set trian: " if path == "trian.epochs" else f"--set {path}: ")
    assert message in found


def test_wrong_members_of_lists_are_named_by_their_place() -> None:
    expected = "expected an integer from 1 to 1000000000"
    assert problems("yinyang", {"model.layers": [5, "a", 3]}) == (
        f"model.layers[1]: got 'a' (text), {expected}",
    )
    assert problems("yinyang", {"init.scales": [[1, 2], [1, 2, 3]]}) == (
        "init.scales[1]: got [1, 2, 3] (list), expected a list of 2 numbers",
    )


@pytest.mark.parametrize(
    ("sets", "start"),
    [
        ({"model.layers": [4, 120, 3]}, "model.layers: got [4, 120, 3], expected 5 input lines"),
        ({"model.layers": [5, 120, 4]}, "model.layers: got [5, 120, 4], expected 5 input lines"),
        ({"model.layers": [5, 9, 9, 3]}, "init.scales: got 2 pairs, expected 3, one for each"),
        ({"init.scales": [[1, 1], [1, -1]]}, "init.scales: got [[1.0, 1.0], [1.0, -1.0]], exp"),
        ({"data.train_samples": 21}, "data.train_samples: got 21, expected at least one batch (tr"),
        ({"data.first_step": 27}, "data.first_step: got 27, expected at most 26, the last of"),
        ({"model.factors": "euler", "model.dt_ms": 5}, "model.dt_ms: got 5.0, expected less than"),
        (
            {"trace.kinds": ["spikes"]},
            "trace.kinds: unknown kind 'spikes'; did you mean 'spike'?",
        ),
        (
            {"trace.start_ms": 5, "trace.end_ms": 4},
            "trace.end_ms: got 4.0, expected a time after",
        ),
        (
            {"trace.first_batch": 2, "trace.last_batch": 1},
            "trace.last_batch: got 1, expected at",
        ),
        (
            {**QUIET, "trace.end_ms": 4},
            "trace.end_ms: has no effect at trace.level 'summary', which",
        ),
        (
            {**QUIET, "trace.membrane": ["a"]},
            "trace.membrane: has no effect at trace.level 'summary'",
        ),
        (
            {"trace.start_ms": 1e-10},
            "trace.start_ms: ms: got 1e-10 ms, which is 0.1 ps; expected",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(sets: dict[str, Any], start: str) -> None:
    (found,) = problems("yinyang", TRACED | sets)
    assert found.removeprefix("--set ").startswith(start)


def test_figures_of_the_machine_are_checked_with_everything_else(tmp_path: Path) -> None:
    path = file(tmp_path, 'experiment = "yinyang"\n[machine.noc]\nhop_cycels = 7\n')
    found = problems(path, {"machine.noc.fifo_packets": -1, "train.epochs": 0})
    assert len(found) == 3
    assert found[0].startswith("--set train.epochs: got 0")
    assert any(
        p.startswith("machine.noc.hop_cycels: ") and "'machine.noc.hop_cycles'" in p for p in found
    )
    assert any(p.startswith("--set machine.noc.fifo_packets: got -1") for p in found)


@pytest.mark.parametrize("value", ["[{}]", "2024-01-01", "[[1], [{x = 1}]]"])
def test_what_no_figure_can_be_is_refused(tmp_path: Path, value: str) -> None:
    path = file(tmp_path, f'experiment = "yinyang"\n[machine.noc]\nhop_cycles = {value}\n')
    (found,) = problems(path)
    assert found.startswith("machine.noc.hop_cycles: got ")
    assert found.endswith("expected a number, text, flag or list of these")


def test_an_unknown_machine_is_one_message() -> None:
    (found,) = problems("yinyang", {"machine.name": "spinaker2", "machine.noc.x": 1})
    assert found.startswith("--set machine.name: unknown machine 'spinaker2'")
    assert "spinnaker2" in found
    (found,) = problems("yinyang", {"machine.name": "nowhere.toml"})
    assert found.startswith("--set machine.name: nowhere.toml: cannot be read")


def test_settings_below_values_are_refused() -> None:
    assert problems("yinyang", {"train.epochs.x": 3}) == (
        "--set train.epochs.x: train.epochs is a value and has no key below it",
    )


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = 'experiment = "yinyang"\ntrain = 3\n[data]\ntrain_samples = -1\n[x]\ny = 1\n'
    found = problems(file(tmp_path, text), {"loss.xi": "a", "machine.name": ""})
    assert sorted(problem.split(":")[0] for problem in found) == [
        "--set loss.xi",
        "--set machine.name",
        "data.train_samples",
        "train",
        "x",
    ]


def test_messages_name_the_file_and_count(tmp_path: Path) -> None:
    path = file(tmp_path, 'experiment = "yinyang"\n[train]\nepochs = 0\nbatch = 0\n')
    with pytest.raises(ExperimentError, match=r"mine\.toml: 2 problems\n  - train\.epochs: got 0"):
        resolve(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"experiment = ", "no valid TOML: Invalid value (at end of document)"),
        (b"\xff\xfe", "byte 0 is not UTF-8; an experiment is a TOML text file"),
        (b"x = " + b"[" * 50_000, "no valid TOML: "),
        (b"x = " + b"9" * 5_000, "no valid TOML: "),
        (b"[train]\nepochs = 3\n", 'experiment: missing; begin the file with experiment = "NAME"'),
        (
            b'experiment = "yinyan"\n',
            "experiment: unknown experiment 'yinyan' (text); did you mean",
        ),
        (b"experiment = 3\n", "experiment: unknown experiment 3 (integer)"),
    ],
)
def test_broken_files_are_one_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    (found,) = problems(path)
    assert found.startswith(message)


@pytest.mark.parametrize("source", ["nowhere.toml", "a/b", "x" * 5000 + ".toml", "\0.toml"])
def test_missing_files_are_one_message(source: str) -> None:
    (found,) = problems(source)
    assert found.startswith("cannot be read: ")
    assert "check the path, or give an experiment's name (yinyang)" in found


@pytest.mark.parametrize("source", ["yingyang", "x" * 5000, "\0"])
def test_unknown_names_are_one_message(source: str) -> None:
    (found,) = problems(source)
    assert found.startswith("unknown experiment, and no file of that name")
    assert ("did you mean 'yinyang'?" in found) == (source == "yingyang")


def test_experiments_are_found_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names() == ("yinyang",)
    assert isinstance(find_kind("yinyang"), ExperimentKind)
    group = "chipsim.experiments"
    points = {
        "broken": EntryPoint(name="broken", value="no.such.module:X", group=group),
        "wrong": EntryPoint(name="wrong", value="chipsim.units:FOREVER", group=group),
    }
    monkeypatch.setattr(registry, "entries", lambda _: points)
    with pytest.raises(PluginError, match=r"'broken' \(no\.such\.module:X\) cannot be loaded: Mod"):
        resolve("broken")
    with pytest.raises(PluginError, match=r"'wrong': got a int, expected an ExperimentKind"):
        resolve("wrong")


def test_the_entry_point_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["entry-points"]["chipsim.experiments"]
    assert declared["yinyang"] == "eventprop_apps.experiment:YINYANG"


def test_values_cannot_be_changed() -> None:
    values = resolve("yinyang").values
    with pytest.raises(ValueError, match="frozen"):
        values.train.epochs = 9  # type: ignore[misc]
    assert issubclass(type(values), Section)


def test_flatten() -> None:
    assert dict(flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": 3})) == {
        "a.b": 1,
        "a.c.d": [2],
        "e": 3,
    }


def test_the_trace_section_makes_the_recorder(tmp_path: Path) -> None:
    section = TraceSection(
        level="packets", start_ms=0.5, last_batch=3, kinds=["error"], vertices=[4], rows_per_part=9
    )
    recorder = make_recorder(section, tmp_path, KINDS)
    assert recorder.writes_packets
    assert not recorder.writes_hops
    assert recorder._packets._window == Window(
        start_ps=500_000_000, last_batch=3, kinds=("error",), vertices=(4,)
    )
    recorder.close()
    assert (tmp_path / "packets.parquet").is_dir()
    with pytest.raises(TraceError, match=r"give one with --out DIR"):
        make_recorder(section, None, KINDS)
