"""A machine's figures, each with its provenance, and a record of the ones that were read.

A figure nobody published cannot be read: the description raises instead of guessing. One that is
assumed (kind A) or set by the user (kind U) can be, and a run lists it if it did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field

from chipsim.errors import DescriptionError, UnknownFigureError, did_you_mean
from chipsim.machine.checks import relations
from chipsim.machine.documented import refusal
from chipsim.machine.model import UNBOUNDED
from chipsim.machine.schema import UNBOUNDED_TEXT, Spec, Value, spec_of, unit_of, wrong_unit

Kind = Literal["M", "D", "C", "S", "I", "A", "U"]

KINDS: Mapping[str, str] = {
    "M": "measured on silicon and published",
    "D": "specification or architectural constant",
    "C": "read from public source code or configuration",
    "S": "published from pre-silicon simulation",
    "I": "inferred by arithmetic from M, D or C",
    "A": "assumption: nothing published was found",
    "U": "set by the user",
}


class Figure(BaseModel):
    """A value with its provenance, as it stands in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    value: Any
    kind: Kind
    source: Annotated[str, Field(min_length=1)]


class Provenance(NamedTuple):
    """One figure with where it comes from.

    Attributes
    ----------
    name, unit, kind, source : str
        The unit is ``""`` for counts and choices.
    value : int, float, bool, str or list
    """

    name: str
    value: Value
    unit: str
    kind: str
    source: str


class Assumption(NamedTuple):
    """A figure of kind A or U that a result rests on: name, value, kind, source."""

    name: str
    value: Value
    kind: str
    source: str


class Description:
    """Figures of one machine.

    Parameters
    ----------
    name, family, title : str
        What the machine is called, which builder makes it, and one line about it.
    figures : mapping of str to Figure
        By dotted name (``noc.hop_cycles``), already checked against ``schema``.
    schema : mapping of str to Spec
        What the family's figures may be.
    base_reads : iterable of str
        Figures that count as read from the start: those the machine was built from.
    """

    def __init__(
        self,
        name: str,
        family: str,
        title: str,
        figures: Mapping[str, Figure],
        schema: Mapping[str, Spec],
        base_reads: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.family = family
        self.title = title
        self._figures = dict(figures)
        self._schema = schema
        self._base_reads = frozenset(base_reads)
        self._reads = set(self._base_reads)

    def __contains__(self, name: object) -> bool:
        return name in self._figures

    def names(self, table: str = "") -> tuple[str, ...]:
        """Return the figures' names in file order, all or those of one table (``pe.cycles``)."""
        prefix = f"{table}." if table else ""
        return tuple(name for name in self._figures if name.startswith(prefix))

    def figure(self, name: str) -> Value:
        """Return a figure's value and record that it was read.

        Raises
        ------
        UnknownFigureError
            If the description does not give it.
        """
        if name not in self._figures:
            raise UnknownFigureError(
                f"{self.name}: the description gives no figure {name!r}"
                f"{did_you_mean(name, self._figures)}; add it, with its kind and source, to the "
                "machine's TOML file"
            )
        self._reads.add(name)
        value: Value = self._figures[name].value
        return value

    def peek(self, name: str) -> Value | None:
        """Return a figure's value, None without one; it does not count as read."""
        return self._figures[name].value if name in self._figures else None

    def number(self, name: str) -> float:
        """Return a figure that is a number; the raised errors are those of :meth:`integer`."""
        value = self.figure(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._mistyped(name, value, "a number")
        return float(value)

    def integer(self, name: str) -> int:
        """Return a figure that is an integer; a capacity ``unbounded`` is returned as 0.

        Raises
        ------
        UnknownFigureError
            If the description does not give it.
        DescriptionError
            If it is no integer.
        """
        value = self.figure(name)
        if value == UNBOUNDED_TEXT:
            return UNBOUNDED
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise self._mistyped(name, value, "an integer")
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a figure that is true or false; errors as for :meth:`integer`."""
        value = self.figure(name)
        if not isinstance(value, bool):
            raise self._mistyped(name, value, "true or false")
        return value

    def text(self, name: str) -> str:
        """Return a figure that is a choice among texts; errors as for :meth:`integer`."""
        value = self.figure(name)
        if not isinstance(value, str):
            raise self._mistyped(name, value, "a text")
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a figure that is a list of integers; errors as for :meth:`integer`."""
        value = self.figure(name)
        if not isinstance(value, list) or any(isinstance(item, list) for item in value):
            raise self._mistyped(name, value, "a list of integers")
        return tuple(cast("list[int]", value))

    def tiles(self, name: str) -> tuple[tuple[int, int], ...]:
        """Return a figure that is a list of tiles (x, y); errors as for :meth:`integer`."""
        return tuple((int(x), int(y)) for x, y in self.rows(name))

    def rows(self, name: str) -> tuple[tuple[int | str, ...], ...]:
        """Return a figure that is a list of lists; errors as for :meth:`integer`."""
        value = self.figure(name)
        if not isinstance(value, list) or any(not isinstance(item, list) for item in value):
            raise self._mistyped(name, value, "a list of lists")
        return tuple(tuple(row) for row in cast("list[list[int | str]]", value))

    def _mistyped(self, name: str, value: object, wanted: str) -> DescriptionError:
        return DescriptionError(self.name, [f"{name}: got {value!r}, expected {wanted}"])

    def forget(self, *names: str) -> None:
        """Take figures, or whole tables (``links.long.``), for not read.

        For builders that read figures of parts which the machine turns out not to have.
        """
        gone = {name for name in self._reads if name.startswith(names)}
        self._reads -= gone
        self._base_reads -= gone

    @property
    def reads(self) -> tuple[str, ...]:
        """The figures read so far, in file order."""
        return tuple(name for name in self._figures if name in self._reads)

    def assumptions(self) -> list[Assumption]:
        """Return the assumed and user-set figures that were really read, in file order."""
        return [
            Assumption(name, self._figures[name].value, kind, self._figures[name].source)
            for name in self.reads
            if (kind := self._figures[name].kind) in ("A", "U")
        ]

    def unread_settings(self) -> list[Provenance]:
        """Return the figures set by the user that nothing has read, in file order."""
        return [row for row in self.provenance() if row.kind == "U" and row.name not in self._reads]

    def provenance(self) -> list[Provenance]:
        """Return every figure in file order; none of them counts as read."""
        return [
            Provenance(name, figure.value, unit_of(name), figure.kind, figure.source)
            for name, figure in self._figures.items()
        ]

    def fresh(self) -> Description:
        """Return a copy in which only the figures that the machine was built from count as read."""
        return Description(
            self.name, self.family, self.title, self._figures, self._schema, self._base_reads
        )

    def built(self) -> Description:
        """Return a copy for which everything read so far belongs to the machine's own figures."""
        return Description(
            self.name, self.family, self.title, self._figures, self._schema, self._reads
        )

    def renamed(self, name: str, title: str) -> Description:
        """Return a copy with another name and title, with the figures read so far."""
        copy = Description(name, self.family, title, self._figures, self._schema, self._base_reads)
        copy._reads = set(self._reads)
        return copy

    def with_settings(self, settings: Mapping[str, object]) -> Description:
        """Return a copy with figures set by the user (kind U).

        Parameters
        ----------
        settings : mapping of str to object
            New values by figure: texts, as from a command line (``"7"``, ``"unbounded"``,
            ``"[0, 32]"``), or typed values.

        Raises
        ------
        DescriptionError
            All unknown figures, figures that nothing reads, and unusable values at once.
        """
        figures = dict(self._figures)
        problems = []
        for name, given in settings.items():
            spec = spec_of(self._schema, name)
            if name not in figures or spec is None:
                problems.append(f"{name}: {unknown_figure(figures, name)}")
                continue
            unread = refusal(self.family, name)
            if unread is not None:
                problems.append(f"{name}: {unread}")
                continue
            value = _parse(spec, given)
            wrong = spec.problem(value)
            if wrong is not None:
                problems.append(f"{name}: {wrong}{_zero_hint(spec, value)}")
                continue
            old = self._figures[name]
            figures[name] = Figure(
                value=value, kind="U", source=f"set by the user; was {old.value!r} ({old.kind})"
            )
        if not problems:
            problems = relations(self.family, {name: f.value for name, f in figures.items()})
        if problems:
            raise DescriptionError(f"settings of {self.name}", problems)
        return Description(
            self.name, self.family, self.title, figures, self._schema, self._base_reads
        )


def unknown_figure(known: Iterable[str], name: str) -> str:
    """Return why ``name`` is no figure: another unit, a misspelling, or simply unknown."""
    names = [figure for figure in known if not figure.endswith(".*")]
    other = wrong_unit(names, name)
    if other is not None:
        unit = unit_of(other)
        wanted = f"in {unit}" if unit else "without a unit"
        return f"wrong unit; this figure is {other!r}, {wanted}"
    near = did_you_mean(name, names)
    if near.startswith("; known"):  # a list of a hundred figures helps nobody
        near = "; `chipsim machine` lists the figures"
    return f"unknown figure{near}"


def _zero_hint(spec: Spec, value: object) -> str:
    if spec.form == "capacity" and value == 0:
        return f"; for no limit write {UNBOUNDED_TEXT!r}"
    return ""


def _parse(spec: Spec, given: object) -> object:
    """Turn a command line's text into the figure's type; anything else stays as it is."""
    if isinstance(given, tuple):
        return [list(item) if isinstance(item, tuple) else item for item in given]
    if not isinstance(given, str) or spec.form == "text" or given == UNBOUNDED_TEXT:
        return given
    try:
        return json.loads(given, parse_constant=lambda _: given)
    except (ValueError, RecursionError):
        return given
