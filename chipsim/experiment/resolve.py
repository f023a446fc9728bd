"""From a name or file, settings and a seed to a checked experiment: all problems at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from chipsim.errors import ChipsimError, ExperimentError, ProblemsError, did_you_mean
from chipsim.experiment.kinds import ExperimentKind, find_kind, names
from chipsim.experiment.model import NAME_MAX, SECTIONS, ExperimentModel, flatten
from chipsim.experiment.problems import merged, sentences, set_path, shown

KIND_KEY = "experiment"
"""The key of a file, outside the sections, that names its kind."""


@dataclass(frozen=True)
class Experiment:
    """A checked experiment.

    Attributes
    ----------
    kind : ExperimentKind
    source : str
        The name or file that it was read from.
    values : ExperimentModel
        All settings, of the kind's own model.
    """

    kind: ExperimentKind
    source: str
    values: ExperimentModel

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.kind.name

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.values.train.seed

    def table(self) -> dict[str, Any]:
        """Return every setting as nested tables, in the order of files.

        ``resolve`` of a file that holds it gives an equal experiment.
        """
        dumped = self.values.model_dump(exclude_none=True)
        order = [name for name in SECTIONS if name in dumped]
        order += [name for name in dumped if name not in order]
        return {KIND_KEY: self.name, **{name: dumped[name] for name in order}}

    def comments(self) -> dict[str, str]:
        """Return what each section and field means, by dotted path."""
        return dict(_descriptions(self.kind.model))


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
    for path, value in given.items():
        wrong = set_path(document, path, value)
        if wrong is not None:
            problems.append(f"--set {path}: {wrong}")
    set_by = dict.fromkeys(given, "--set ")
    if seed is not None:
        set_by["train.seed"] = "--seed: "
    values = _validated(kind.model, document, set_by, problems)
    parts = _machine_problems(document.get("machine"))
    parts += _placer_problems(document.get("mapping"))
    problems += [f"{set_by.get(text.partition(':')[0], '')}{text}" for text in parts]
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


def _validated(
    model: type[ExperimentModel],
    document: Mapping[str, Any],
    set_by: Mapping[str, str],
    problems: list[str],
) -> ExperimentModel | None:
    try:
        values = model.model_validate(document)
    except ValidationError as error:
        for path, sentence in sentences(error, model):
            problems.append(f"{set_by.get(path, '')}{path}: {sentence}")
        return None
    problems += values.checks()
    return values


def _machine_problems(section: object) -> list[str]:
    """Return what the machine's description says to its name and figures."""
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(name, str) or len(name) > NAME_MAX:
        return []  # the schema has said so
    from chipsim.machine.library import load_machine

    settings = dict(flatten({k: v for k, v in section.items() if k != "name"}))
    try:
        load_machine(name, settings)
    except ProblemsError as error:
        return [f"machine.{problem}" for problem in error.problems]
    except ChipsimError as error:
        return [f"machine.name: {error}"]
    return []


def _placer_problems(section: object) -> list[str]:
    name = section.get("placer") if isinstance(section, Mapping) else None
    if not isinstance(name, str) or not name:
        return []  # the schema has said so
    from chipsim.mapping import strategies

    known = strategies.names("placer")
    return [] if name in known else [f"mapping.placer: unknown {name!r}{did_you_mean(name, known)}"]


def _descriptions(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            about = (inner.__doc__ or "").strip().split("\n\n")[0]
            yield f"{prefix}{name}", about
            yield from _descriptions(inner, f"{prefix}{name}.")
        elif field.description:
            yield f"{prefix}{name}", field.description
