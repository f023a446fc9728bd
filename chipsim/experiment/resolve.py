"""From a name or file, settings and a seed to a checked experiment: all problems at once."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chipsim.errors import (
    ChipsimError,
    ExperimentError,
    PluginError,
    ProblemsError,
    did_you_mean,
)
from chipsim.experiment.kinds import KIND_KEY, Experiment, ExperimentKind, find_kind, names
from chipsim.experiment.model import NAME_MAX, ExperimentModel, flatten
from chipsim.experiment.problems import merged, sentences, set_path, shown


def resolve(
    source: str | Path, sets: Mapping[str, Any] | None = None, seed: int | None = None
) -> Experiment:
    """Return the experiment of a name or file, with settings put over it, checked.

    Parameters
    ----------
    source : str or Path
        The name of an experiment (``yinyang``), or a TOML file whose key ``experiment`` is such a
        name; what the file does not give is as in the experiment's default file.
    sets : mapping of str to object, optional
        Settings by dotted name: ``{"train.epochs": 3, "machine.noc.hop_cycles": 7}``.
    seed : int, optional
        Taken instead of ``train.seed``.

    Raises
    ------
    ExperimentError
        With all problems: of the file, of each setting, of the machine's figures.
    PluginError
        If the package that brings the experiment is broken.
    """
    kind, document, subject = _read(source)
    problems: list[str] = []
    given = dict(sets or {})
    if seed is not None:
        given["train.seed"] = seed
    document = merged(_defaults(kind), document)
    in_file = dict(flatten(document))
    for path, value in given.items():
        wrong = set_path(document, path, value)
        if wrong is not None:
            problems.append(f"--set {path}: {wrong}")
    values, found = _validated(kind.model, document)
    found += _machine_problems(document.get("machine"))
    found += _strategy_problems(document.get("mapping"))
    problems += [f"{_origin(problem, given, in_file, seed)}{problem}" for problem in found]
    if problems or values is None:
        raise ExperimentError(subject, problems)
    return Experiment(kind, str(source), values)


def validate(source: str | Path, sets: Mapping[str, Any] | None = None) -> Experiment:
    """Check an experiment without running it; same as :func:`resolve`."""
    return resolve(source, sets)


def _read(source: str | Path) -> tuple[ExperimentKind, dict[str, Any], str]:
    """Return the kind, what the file says, and what messages call it."""
    text = str(source)
    if isinstance(source, str) and not _is_path(source):
        if text not in names():
            hint = did_you_mean(text, names())
            raise ExperimentError(text, [f"unknown experiment, and no file of that name{hint}"])
        return find_kind(text), {}, text
    document = _parsed(_file_bytes(Path(source)), text)
    name = document.pop(KIND_KEY, None)
    if name is None:
        known = ", ".join(names())
        problem = f'{KIND_KEY}: missing; begin the file with {KIND_KEY} = "NAME" (known: {known})'
        raise ExperimentError(text, [problem])
    if not isinstance(name, str) or name not in names():
        hint = did_you_mean(name, names()) if isinstance(name, str) else ""
        raise ExperimentError(text, [f"{KIND_KEY}: unknown experiment {shown(name)}{hint}"])
    return find_kind(name), document, text


def _is_path(source: str) -> bool:
    try:
        there = Path(source).is_file()
    except (OSError, ValueError):  # no system could hold a file of that name
        there = False
    return there or source.endswith(".toml") or "/" in source or "\\" in source


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        known = ", ".join(names())
        problem = (
            f"cannot be read: {reason}; check the path, or give an experiment's name ({known})"
        )
        raise ExperimentError(str(path), [problem]) from error


def _parsed(data: bytes, subject: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; an experiment is a TOML text file"
        raise ExperimentError(subject, [problem]) from error
    except (ValueError, RecursionError) as error:
        raise ExperimentError(subject, [f"no valid TOML: {error}"]) from error


def _defaults(kind: ExperimentKind) -> dict[str, Any]:
    document = _parsed(kind.defaults.read_bytes(), f"defaults of {kind.name}")
    document.pop(KIND_KEY, None)
    return document


def _origin(
    problem: str, given: Mapping[str, Any], in_file: Mapping[str, Any], seed: int | None
) -> str:
    """Return which option a problem comes from, or nothing for the file."""
    path = problem.partition(":")[0]
    if path == "train.seed" and seed is not None:
        return "--seed: "
    below = f"{path}."
    by_file = any(name.startswith(below) for name in in_file)
    by_set = path in given or (not by_file and any(name.startswith(below) for name in given))
    return "--set " if by_set else ""


def _validated(
    model: type[ExperimentModel], document: Mapping[str, Any]
) -> tuple[ExperimentModel | None, list[str]]:
    try:
        values = model.model_validate(document)
    except ValidationError as error:
        return None, [f"{path}: {sentence}" for path, sentence in sentences(error, model)]
    return values, values.checks()


def _machine_problems(section: object) -> list[str]:
    """Return what the machine's description says to its name and figures."""
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(name, str):
        return []  # the schema has said so
    if not 0 < len(name) <= NAME_MAX:
        return []
    wrong = _load_problem(name, {})
    if isinstance(wrong, ProblemsError):
        return [f"machine.name: {wrong.subject}: {problem}" for problem in wrong.problems]
    if wrong is not None:
        return [f"machine.name: {wrong}"]
    settings = dict(flatten({key: value for key, value in section.items() if key != "name"}))
    odd = [
        f"machine.{figure}: got {shown(value)}, expected a number, text, flag or list of these"
        for figure, value in settings.items()
        if not _is_plain(value)
    ]
    if odd:
        return odd
    wrong = _load_problem(name, settings)
    if isinstance(wrong, ProblemsError):
        # The description knows its figures by their own names, without the section's.
        hint, full = "did you mean '", "did you mean 'machine."
        return [f"machine.{problem.replace(hint, full)}" for problem in wrong.problems]
    return [f"machine: {wrong}"] if wrong is not None else []


def _is_plain(value: object) -> bool:
    """Return whether a description could take it: TOML also has dates, and tables in lists."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def _load_problem(name: str, settings: Mapping[str, object]) -> ChipsimError | None:
    from chipsim.machine.library import load_machine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a machine warns the run that uses it, not its check
        try:
            load_machine(name, settings)
        except ChipsimError as error:
            return error
    return None


def _strategy_problems(section: object) -> Iterator[str]:
    """Yield what is wrong with the names of placer and router."""
    from chipsim.mapping import strategies
    from chipsim.mapping.own import from_file, is_path

    given = section if isinstance(section, Mapping) else {}
    if given.get("file") is not None and given.get("router") is not None:
        yield "mapping.router: the mapping of mapping.file has its routes; leave one of the two out"
    stages: tuple[strategies.Stage, ...] = ("placer", "router")
    for stage in stages:
        name = given.get(stage)
        if not isinstance(name, str) or not name:
            continue  # the schema has said so
        known = strategies.names(stage)
        if is_path(name):
            try:
                from_file(name, stage)
            except PluginError as error:
                yield f"mapping.{stage}: {error}"
        elif name not in known:
            yield f"mapping.{stage}: unknown {name!r}{did_you_mean(name, known)}"
