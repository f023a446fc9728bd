"""Reads descriptions from TOML: every problem of a file is reported at once.

A file has a ``name``, a ``family`` (which builder makes the machine), a ``title``, and figures in
tables: ``hop_cycles = { value = 5, kind = "D", source = "CHIP26" }``. With ``base = "spinnaker2"``
it starts from a shipped description and gives only what differs; ``base = "spinnaker2-48"`` makes
a board of such chips.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from chipsim.errors import DescriptionError, did_you_mean
from chipsim.machine.checks import relations
from chipsim.machine.description import KINDS, Description, Figure, unknown_figure
from chipsim.machine.families import FAMILIES
from chipsim.machine.schema import Spec, spec_of

HEADER = ("name", "family", "title", "base")
CHIPS = re.compile(r"(spinnaker2)(-48|-triads-(\d+)x(\d+))?|(spinnaker1)(-48|-torus-(\d+)x(\d+))?")
"""Names of chips, boards and tori of them."""


def shipped() -> tuple[str, ...]:
    """Return the names of the descriptions that come with the package, sorted."""
    found = (entry.name for entry in files("topologies").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def load_shipped(name: str) -> Description:
    """Return the shipped description ``name``."""
    text = (files("topologies") / f"{name}.toml").read_text(encoding="utf-8")
    return parse(text, f"topologies/{name}.toml")


def load_file(path: str | Path) -> Description:
    """Return the description in a user's file.

    Raises
    ------
    DescriptionError
        If the file cannot be read, or with all its problems.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DescriptionError(str(path), [f"cannot be read: {reason}; check the path"]) from error
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; a description is a TOML text file"
        raise DescriptionError(str(path), [problem]) from error
    return parse(text, str(path))


def base_of(path: str | Path) -> str:
    """Return the base that a file which :func:`load_file` has accepted names; empty without one."""
    return str(tomllib.loads(Path(path).read_bytes().decode("utf-8")).get("base", ""))


def parse(text: str, subject: str) -> Description:
    """Return the description in ``text``; ``subject`` names it in messages.

    Raises
    ------
    DescriptionError
        With all problems found.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(subject, [f"no valid TOML: {error}"]) from error
    problems: list[str] = []
    header = _header(document, problems)
    base = _base(document, problems)
    family = _family(header, base, problems)
    if family is None:
        raise DescriptionError(subject, problems)
    schema = FAMILIES[family]
    figures = dict(_figures_of(base)) if base is not None else {}
    for name, raw in _leaves({k: v for k, v in document.items() if k not in HEADER}, problems):
        figure = _figure(schema, name, raw, problems)
        if figure is not None:
            figures[name] = figure
    problems += [f"{name}: missing; this family needs it" for name in _missing(schema, figures)]
    if not problems:
        problems += relations(family, {name: figure.value for name, figure in figures.items()})
    if problems:
        raise DescriptionError(subject, problems)
    return Description(header["name"], family, header.get("title", ""), figures, schema)


def _header(document: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    header: dict[str, str] = {}
    for key in HEADER:
        value = document.get(key)
        if isinstance(value, str) and value.strip():
            header[key] = value
        elif value is not None:
            problems.append(f"{key}: got {value!r:.60}, expected a text that is not empty")
    if "name" not in document:
        problems.append('name: missing; a description begins with name = "..."')
    return header


def _base(document: Mapping[str, object], problems: list[str]) -> Description | None:
    name = document.get("base")
    if not isinstance(name, str) or not name.strip():
        return None
    chips = CHIPS.fullmatch(name)
    if chips is not None:
        return load_shipped(chips[1] or chips[5])
    if name not in shipped():
        problems.append(f"base: unknown description {name!r}{did_you_mean(name, shipped())}")
        return None
    return load_shipped(name)


def _family(header: Mapping[str, str], base: Description | None, problems: list[str]) -> str | None:
    family = header.get("family", base.family if base is not None else None)
    if family is None:
        problems.append(f'family: missing; one of {", ".join(FAMILIES)}, or give base = "..."')
    elif family not in FAMILIES:
        problems.append(f"family: unknown family {family!r}{did_you_mean(family, FAMILIES)}")
    elif base is not None and base.family != family:
        problems.append(f"family: got {family!r}, but base is of family {base.family!r}")
    else:
        return family
    return None


def _figures_of(base: Description) -> Iterator[tuple[str, Figure]]:
    for row in base.provenance():
        yield row.name, Figure(value=row.value, kind=row.kind, source=row.source)  # type: ignore[arg-type]


def _leaves(
    table: Mapping[str, object], problems: list[str], prefix: str = ""
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (dotted name, raw figure); a table is a figure as soon as it has one of its keys."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if not isinstance(value, dict):
            problems.append(
                f"{name}: got {value!r:.60} without provenance; expected "
                '{ value = ..., kind = "...", source = "..." }'
            )
        elif not prefix or not {"value", "kind", "source"} & value.keys():
            yield from _leaves(value, problems, f"{name}.")
        else:
            yield name, value


def _figure(
    schema: Mapping[str, Spec], name: str, raw: Mapping[str, object], problems: list[str]
) -> Figure | None:
    before = len(problems)
    spec = spec_of(schema, name)
    if spec is None:
        problems.append(f"{name}: {unknown_figure(schema, name)}")
    elif "value" in raw and (wrong := spec.problem(raw["value"])) is not None:
        problems.append(f"{name}: {wrong}")
    problems += _provenance_problems(name, raw)
    if len(problems) > before:
        return None
    return Figure.model_validate(dict(raw))


def _provenance_problems(name: str, raw: Mapping[str, object]) -> list[str]:
    if raw.get("kind") == "U":
        return [f"{name}: kind 'U' is what settings make; a file gives one of M, D, C, S, I, A"]
    try:
        Figure.model_validate(dict(raw))
    except ValidationError as error:
        return [_sentence(name, str(e["loc"][0]), e["type"], raw) for e in error.errors()]
    return []


def _sentence(name: str, field: str, problem: str, raw: Mapping[str, object]) -> str:
    if problem == "missing":
        if field == "value":
            return f"{name}: missing value"
        return f"{name}: missing provenance: give {field} (a figure says where it comes from)"
    if problem == "extra_forbidden":
        return f"{name}: unknown key {field!r}{did_you_mean(field, Figure.model_fields)}"
    got = f"got {raw.get(field)!r:.60}"
    if field == "kind":
        return f"{name}: kind: {got}, expected one of {', '.join(k for k in KINDS if k != 'U')}"
    return f"{name}: {field}: {got}, expected a text that is not empty"


def _missing(schema: Mapping[str, Spec], figures: Mapping[str, Figure]) -> list[str]:
    return [name for name, spec in schema.items() if spec.required and name not in figures]
