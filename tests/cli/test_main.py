"""The entry point: lazy, one message per error, exit statuses."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from chipsim import registry
from chipsim.cli import main as cli
from chipsim.errors import ChipsimError, ExperimentError

HEAVY = ("numpy", "numba", "simpy", "networkx", "pyarrow", "pydantic", "asyncio")


def python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(cli.__file__).parents[2],
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A command `probe` whose `run` a test sets."""
    module = SimpleNamespace(add_arguments=lambda parser: parser.add_argument("--count", type=int))
    monkeypatch.setitem(sys.modules, "probe_command", module)  # type: ignore[arg-type]
    monkeypatch.setitem(cli.COMMANDS, "probe", ("probe_command", "is a probe"))
    return module


def test_help_imports_nothing_heavy() -> None:
    done = python(
        f"""
        import sys
        from chipsim.cli.main import main
        assert main(["--help"]) == 0
        loaded = [name for name in {HEAVY!r} if name in sys.modules]
        assert not loaded, loaded
        """
    )
    assert done.returncode == 0, done.stderr
    for name, (_, about) in cli.COMMANDS.items():
        assert name in done.stdout
        assert about in done.stdout


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    assert f"usage: chipsim {name}" in capsys.readouterr().out


def test_python_m_chipsim_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chipsim", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: chipsim COMMAND")


def test_no_command_prints_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "chipsim: unknown command 'rnu'; did you mean 'run'?; see `chipsim --help`\n"),
        (["--jsno"], "chipsim: unknown option '--jsno'"),
        (["probe", "--cuont", "3"], "unknown option '--cuont'; did you mean '--count'?"),
        (["probe", "--count", "x"], "chipsim probe: argument --count: invalid int value: 'x'"),
        (["probe", "left", "over"], "chipsim probe: got 'left over', which no argument takes"),
        (["probe", "--co", "3"], "chipsim probe: unknown option '--co'"),
    ],
)
def test_wrong_words_are_one_message(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], command: SimpleNamespace
) -> None:
    assert cli.main(words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ChipsimError("PE(1,6,0): no room"), "chipsim: PE(1,6,0): no room\n"),
        (
            ExperimentError("a.toml", ["train.epochs: got -1", "unknown key 'x'"]),
            "chipsim: a.toml: 2 problems\n  - train.epochs: got -1\n  - unknown key 'x'\n",
        ),
    ],
)
def test_errors_of_chipsim_are_messages(
    error: ChipsimError,
    message: str,
    capsys: pytest.CaptureFixture[str],
    command: SimpleNamespace,
) -> None:
    def fail(arguments: object) -> int:
        raise error

    command.run = fail
    assert cli.main(["probe"]) == 2
    assert capsys.readouterr().err == message


def test_defects_keep_their_traceback(command: SimpleNamespace) -> None:
    def fail(arguments: object) -> int:
        raise ZeroDivisionError

    command.run = fail
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe"])


def test_interrupt_is_130(capsys: pytest.CaptureFixture[str], command: SimpleNamespace) -> None:
    def fail(arguments: object) -> int:
        raise KeyboardInterrupt

    command.run = fail
    assert cli.main(["probe"]) == 130
    assert capsys.readouterr().err == "chipsim: interrupted\n"


def test_status_of_a_command_is_returned(command: SimpleNamespace) -> None:
    command.run = lambda arguments: arguments.count
    assert cli.main(["probe", "--count", "1"]) == 1


def test_a_reader_that_has_gone_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m chipsim --help | true", shell=True, capture_output=True, text=True
    )
    assert done.stderr == ""


def test_commands_of_other_packages(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: SimpleNamespace,
) -> None:
    command.run = lambda arguments: 0
    brought = {
        "mine": EntryPoint("mine", "probe_command", "chipsim.commands"),
        "broken": EntryPoint("broken", "no_such_module_here", "chipsim.commands"),
    }
    monkeypatch.setattr(registry, "entries", lambda group: brought)
    assert cli.main(["--help"]) == 0
    assert "mine" in capsys.readouterr().out
    assert cli.main(["mine", "--count", "2"]) == 0
    assert cli.main(["broken"]) == 2
    err = capsys.readouterr().err
    assert "chipsim.commands 'broken' (no_such_module_here) cannot be loaded" in err
    assert cli.main(["mime"]) == 2
    assert "did you mean 'mine'?" in capsys.readouterr().err
