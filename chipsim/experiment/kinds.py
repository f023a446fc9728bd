"""What an experiment is: a kind (a default file, a schema and a function, found by its name) and
the values of one.

Packages bring experiments by an entry point of the group ``chipsim.experiments`` that names an
:class:`ExperimentKind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from chipsim import registry
from chipsim.errors import PluginError
from chipsim.experiment.model import SECTIONS, ExperimentModel

if TYPE_CHECKING:
    from chipsim.machine.model import Machine
    from chipsim.mapping.application import Application
    from chipsim.trace.rundir import RunDirectory

GROUP = "chipsim.experiments"

KIND_KEY = "experiment"
"""The key of a file, outside the sections, that names its kind."""

Progress = Callable[[Mapping[str, Any]], None]
"""Called now and then (at least once an epoch) with named values: ``epoch``, ``accuracy``…

One whose attribute ``live`` is true wants values in between too, whenever its ``due()`` says so.
"""

Run = Callable[["Experiment", "RunDirectory | None", Progress], dict[str, Any]]
"""``run(experiment, out, progress)`` does the work and returns the summary.

It writes metrics, weights and traces into ``out`` if there is one; the caller creates the
directory, writes the resolved experiment, and finishes it with the summary returned.
"""


@dataclass(frozen=True)
class SearchOptions:
    """How to search an experiment's settings.

    Attributes
    ----------
    trials : int
        Trials in all, those of an interrupted search included.
    workers : int
        Trials at a time, each in a process of its own; 1 runs them in this one.
    storage : Path
        File that holds all trials; a search that finds one goes on with it.
    params : tuple of str
        What to search, as ``NAME`` or ``NAME=LOW:HIGH``; empty for the experiment's own choice.
    prune : bool
        Give up trials that are worse than the median at the same epoch.
    weights : Path or None
        Train the best trial again and write its weights here.
    """

    trials: int
    workers: int
    storage: Path
    params: tuple[str, ...] = ()
    prune: bool = True
    weights: Path | None = None


Search = Callable[["Experiment", SearchOptions, Progress], dict[str, Any]]
"""``search(experiment, options, progress)`` returns ``trials`` (rows), ``best`` and so on."""


Applied = Callable[["Experiment"], "tuple[Application, Machine]"]
"""``application(experiment)`` returns what the experiment maps, with expected traffic, and its
machine."""


@dataclass(frozen=True)
class ExperimentKind:
    """One kind of experiment.

    Attributes
    ----------
    name : str
        As in ``chipsim run NAME``, and as the key ``experiment`` of files.
    summary : str
        One line about it.
    defaults : Traversable
        Its default file, which gives every field (``importlib.resources.files(…) / …``).
    model : type of ExperimentModel
        Its sections.
    run : callable
        See :data:`Run`.
    search : callable or None
        See :data:`Search`; None where ``chipsim search`` has nothing to offer.
    application : callable or None
        See :data:`Applied`; None where ``chipsim map`` has nothing to map.
    """

    name: str
    summary: str
    defaults: Traversable
    model: type[ExperimentModel]
    run: Run
    search: Search | None = None
    application: Applied | None = None


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


def _descriptions(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            about = (inner.__doc__ or "").strip().split("\n\n")[0]
            yield f"{prefix}{name}", about
            yield from _descriptions(inner, f"{prefix}{name}.")
        elif field.description:
            yield f"{prefix}{name}", field.description


def names() -> tuple[str, ...]:
    """Return the names of all experiments, sorted; none is loaded."""
    return tuple(registry.entries(GROUP))


def find_kind(name: str) -> ExperimentKind:
    """Return the experiment ``name``.

    Raises
    ------
    PluginError
        If there is none of that name, or the package that brings it is broken.
    """
    kind = registry.load(GROUP, name)
    if not isinstance(kind, ExperimentKind):
        raise PluginError(
            f"{GROUP} {name!r}: got a {type(kind).__name__}, expected an ExperimentKind; "
            "mend the package that brings it"
        )
    return kind
