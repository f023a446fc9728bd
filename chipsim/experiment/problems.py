"""From pydantic's errors to sentences: what, where, got, expected, and the fix if it is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from chipsim.machine.schema import UNITS as MACHINE_UNITS

UNITS = {*MACHINE_UNITS, "s", "hz", "steps", "ghz", "khz"}

_NAMES = {
    bool: "flag",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "table",
}


def sentences(error: ValidationError, model: type[BaseModel]) -> Iterable[tuple[str, str]]:
    """Yield (dotted path, what is wrong with it) of every error, one for all forms of a value."""
    seen = set()
    for one in error.errors():
        path = _without_form(one["loc"], model)
        if path == one["loc"] or path not in seen:
            seen.add(path)
            yield _dotted(path), _sentence(path, one["type"], one["input"], one["msg"], model)


def _without_form(path: tuple[int | str, ...], model: type[BaseModel]) -> tuple[int | str, ...]:
    """Return a path without what pydantic adds where a value may have several forms."""
    whole = path[:-1]
    several = whole and get_origin(_parts(_annotation_at(whole, model))[0]) in (Union, UnionType)
    return whole if several else path


def shown(value: object) -> str:
    """Return a value and its type for a message, shortened."""
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({_NAMES.get(type(value), type(value).__name__)})"


def unknown_key(path: tuple[str, ...], model: type[BaseModel]) -> str:
    """Return what is said of a key that no schema has: the right unit, section or spelling."""
    *sections, key = path
    known = list(_model_at(tuple(sections), model).model_fields)
    unit = _unit(key)
    for name in known:
        if _stem(name) == _stem(key) and (unit or _unit(name)):
            what = f"wrong unit {unit}" if unit else "unknown key"
            return f"{what}; expected {'.'.join([*sections, name])}, in {_unit(name)}"
    if not sections:
        near = difflib.get_close_matches(key, known, n=1)
        if near:
            return f"unknown section; did you mean [{near[0]}]?"
        return f"unknown section; known: {', '.join(known)}{_elsewhere(key, model)}"
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"unknown key; did you mean {'.'.join([*sections, near[0]])!r}?"
    return f"unknown key; [{'.'.join(sections)}] has {', '.join(known)}{_elsewhere(key, model)}"


def _elsewhere(key: str, model: type[BaseModel]) -> str:
    found = [
        f"{name}.{key}"
        for name in model.model_fields
        if key in _model_at((name,), model).model_fields
    ]
    return f"; did you mean {found[0]!r}?" if found else ""


def _sentence(
    path: tuple[int | str, ...], kind: str, value: object, message: str, model: type[BaseModel]
) -> str:
    names = tuple(part for part in path if isinstance(part, str))
    if kind == "extra_forbidden":
        return unknown_key(names, model)
    expected = _expected(_annotation_at(path, model))
    if kind == "missing":
        return f"missing; expected {expected}"
    if expected == "a value":  # an annotation that _expected does not know
        return f"got {shown(value)}: {message}"
    got = f"got {shown(value)}, expected {expected}"
    unit = _unit(names[-1]) if names else ""
    if isinstance(value, str) and unit and value[:1].isdigit():
        return f"{got}; give the number of {unit} alone, without its unit"
    return got


def _expected(annotation: Any) -> str:
    """Return what an annotation allows, as a phrase."""
    kind, limits = _parts(annotation)
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_expected(form) for form in get_args(kind))
    if get_origin(kind) is Literal and len(get_args(kind)) == 1:
        return repr(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if get_origin(kind) is list:
        low = max((getattr(limit, "min_length", 0) for limit in limits), default=0)
        fixed = any(getattr(limit, "max_length", None) == low for limit in limits)
        some = f"{low} " if fixed else f"at least {low} " if low else ""
        return f"a list of {some}{_plural(_expected(get_args(kind)[0]))}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a section with keys"
    if kind is bool:
        return "true or false"
    if kind is str:
        return "a text that is not empty" if limits else "a text"
    if kind in (int, float):
        return f"{'an integer' if kind is int else 'a number'}{_span(limits)}"
    return "a value"


def _plural(phrase: str) -> str:
    for one, many in (
        ("an integer", "integers"),
        ("a number", "numbers"),
        ("a text", "texts"),
        ("a list", "lists"),
    ):
        if phrase.startswith(one):
            return many + phrase[len(one) :]
    return phrase


def _span(limits: list[Any]) -> str:
    """Return a range in words; limits are pydantic's, told apart by their one attribute."""
    words = []
    for attribute, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below")):
        for limit in limits:
            value = getattr(limit, attribute, None)
            if value is not None:
                words.append(
                    f" {word} {value:g}" if isinstance(value, float) else f" {word} {value}"
                )
    return "".join(words)


def _parts(annotation: Any) -> tuple[Any, list[Any]]:
    """Return an annotation without Annotated and None, and its limits."""
    limits: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            for item in found:
                limits += getattr(item, "metadata", [item])
        elif get_origin(annotation) in (Union, UnionType):
            inner = [part for part in get_args(annotation) if part is not NoneType]
            if len(inner) != 1:
                return annotation, limits
            annotation = inner[0]
        else:
            return annotation, limits


def _annotation_at(path: tuple[int | str, ...], model: type[BaseModel]) -> Any:
    annotation: Any = model
    for part in path:
        kind, _ = _parts(annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            if field is None:
                return Any
            annotation = field.annotation
            if field.metadata:
                annotation = Annotated[annotation, *field.metadata]
        elif get_origin(kind) is list:
            annotation = get_args(kind)[0]
        else:
            return Any
    return annotation


def _model_at(path: tuple[str, ...], model: type[BaseModel]) -> type[BaseModel]:
    kind, _ = _parts(_annotation_at(path, model))
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else BaseModel


def _dotted(path: Iterable[int | str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _unit(key: str) -> str:
    tail = key.rpartition("_")[2]
    return tail if tail in UNITS else ""


def _stem(key: str) -> str:
    return key.removesuffix(_unit(key)).removesuffix("_")


def set_path(table: dict[str, Any], path: str, value: object) -> str | None:
    """Put ``value`` at a dotted path of nested tables; return what stands in the way, or None."""
    *sections, key = path.split(".")
    for depth, name in enumerate(sections):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return f"{'.'.join(sections[: depth + 1])} is a value and has no key below it"
        table = inner
    table[key] = value
    return None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables with the values of ``over`` put over those of ``base``."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result
