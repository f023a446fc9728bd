"""The EventProp experiments: their sections, checks and default files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from chipsim.errors import DataError, did_you_mean
from chipsim.experiment.kinds import Experiment, ExperimentKind, Progress, SearchOptions
from chipsim.experiment.model import (
    Count,
    ExperimentModel,
    Section,
)
from chipsim.mapping.application import KINDS
from eventprop_apps.model_section import InitSection, ModelSection
from eventprop_apps.sections import (
    CostsSection,
    ExchangeTrainSection,
    LossSection,
    OptimizerSection,
)

if TYPE_CHECKING:
    from chipsim.machine.model import Machine
    from chipsim.mapping.application import Application
    from chipsim.trace.rundir import RunDirectory
    from eventprop_apps.data.dataset import Dataset
    from eventprop_apps.data.labels import Label
    from eventprop_apps.losses.api import Loss

YINYANG_LINES = 5
"""x, y, 1 − x, 1 − y and the bias line."""
YINYANG_CLASSES = 3
VALIDATION_SHARE = 0.25
"""Share of training samples that a search holds out, where a set has no published split."""


class DataSection(Section):
    """Yin-Yang samples and their encoding as spike times."""

    train_samples: Count
    """Training samples."""
    train_seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the training samples (numpy RandomState)."""
    test_samples: Count
    """Test samples."""
    test_seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the test samples (numpy RandomState)."""
    first_step: Annotated[int, Field(ge=0, le=10**6)]
    """Step in which the largest value spikes (t_min)."""


class TrainingModel(ExperimentModel):
    """The sections of every experiment that trains a network on the chip, but for its data."""

    model: ModelSection
    loss: LossSection
    optimizer: OptimizerSection
    train: ExchangeTrainSection
    init: InitSection
    costs: CostsSection | None = None
    """Cycles of EventProp's operations that differ from costs.toml (adam_update = 100)."""

    def datasets(self) -> tuple[Dataset, Dataset]:
        """Return training and test samples."""
        raise NotImplementedError

    def labels(self) -> Mapping[str, Label]:
        """Return what can be asked of a sample, by name; the first is its class."""
        return {}

    def samples(self) -> tuple[Dataset, Dataset]:
        """Return training and test samples with the labels and targets that the loss takes.

        Raises
        ------
        DataError
            For a file of targets that cannot be read or does not fit.
        """
        train, test = self.datasets()
        return self.prepared(train, "train"), self.prepared(test, "test")

    def search_samples(self) -> tuple[Dataset, Dataset]:
        """Return training and validation samples of a search, which sees no test samples.

        A quarter of the training samples is held out, always the same ones.
        """
        from eventprop_apps.data.labels import held_out

        return held_out(self.prepared(self.datasets()[0], "train"), VALIDATION_SHARE, 0)

    def prepared(self, data: Dataset, part: Literal["train", "test"] | None) -> Dataset:
        """Return samples with the loss's labels, and with its targets where ``part`` has some."""
        from eventprop_apps.data.labels import with_labels, with_wanted

        labelled = with_labels(data, self.labels(), self.loss.heads or [])
        if self.loss.targets is None or part is None:
            return labelled
        return with_wanted(labelled, self.loss.targets, part, self.model.layers[-1])

    def model_loss(self) -> Loss:
        """Return the loss; experiments with one of their own return that."""
        sizes = {name: label.classes for name, label in self.labels().items()}
        return self.loss.loss(self.model.dt_ms, sizes)

    def outputs(self) -> int:
        """Return the outputs that the labels ask for."""
        labels = self.labels()
        heads = self.loss.heads or list(labels)[:1]
        return sum(labels[name].classes for name in heads if name in labels)

    def checks(self) -> list[str]:
        """Return what is wrong between fields."""
        return [
            *super().checks(),
            *self.model.problems(self.loss.name == "readout"),
            *self.loss.problems(list(self.labels())),
            *self.init_problems(),
            *self._weight_problems(),
            *(self.costs.problems() if self.costs else ()),
            *(
                f"trace.kinds: unknown kind {kind!r}{did_you_mean(kind, KINDS)}"
                for kind in self.trace.kinds or ()
                if kind not in KINDS
            ),
        ]

    def init_problems(self) -> list[str]:
        """Return what is wrong with the initial weights' scales."""
        layers, problems = self.model.layers, []
        if len(self.init.scales) != len(layers) - 1:
            problems.append(
                f"init.scales: got {len(self.init.scales)} pairs, expected {len(layers) - 1}, one "
                f"for each layer of weights of model.layers = {layers}"
            )
        if any(pair[1] < 0 for pair in self.init.scales):
            problems.append(
                f"init.scales: got {self.init.scales}, expected deviations of at least 0"
            )
        return problems

    def _weight_problems(self) -> list[str]:
        if self.init.weights is None:
            return []
        from eventprop_apps.offchip.weights import load_weights

        try:
            load_weights(self.init.weights, self.model.layers, self.model.recurrences())
        except DataError as error:
            return [f"init.weights: {error}"]
        return []


class YinYangModel(TrainingModel):
    """All sections of the Yin-Yang experiment."""

    data: DataSection

    def labels(self) -> Mapping[str, Label]:
        """Return what can be asked of a point."""
        from eventprop_apps.data.labels import YINYANG_LABELS

        return YINYANG_LABELS

    def datasets(self) -> tuple[Dataset, Dataset]:
        """Return training and test samples."""
        data = self.data
        return (
            self._points(data.train_samples, data.train_seed),
            self._points(data.test_samples, data.test_seed),
        )

    def search_samples(self) -> tuple[Dataset, Dataset]:
        """Return training samples and the published validation samples."""
        from eventprop_apps.data.yinyang import SEEDS, SIZES

        train = self._points(self.data.train_samples, self.data.train_seed)
        held = self._points(SIZES["validation"], SEEDS["validation"])
        return self.prepared(train, "train"), self.prepared(held, None)

    def _points(self, samples: int, seed: int) -> Dataset:
        return _yinyang(samples, seed, self.model.steps, self.data.first_step)

    def checks(self) -> list[str]:
        """Return what is wrong between fields."""
        return [*super().checks(), *self._size_problems()]

    def _size_problems(self) -> list[str]:
        layers, problems = self.model.layers, []
        if layers[0] != YINYANG_LINES or layers[-1] != self.outputs():
            heads = f", loss.heads = {self.loss.heads}" if self.loss.heads else ""
            problems.append(
                f"model.layers: got {layers}, expected {YINYANG_LINES} input lines first and "
                f"{self.outputs()} outputs last (Yin-Yang has 4 values, a bias and "
                f"{YINYANG_CLASSES} classes{heads})"
            )
        if self.data.train_samples < self.train.batch:
            problems.append(
                f"data.train_samples: got {self.data.train_samples}, expected at least one batch "
                f"(train.batch = {self.train.batch}); an incomplete batch is dropped"
            )
        if self.data.first_step > self.model.steps - 1:
            problems.append(
                f"data.first_step: got {self.data.first_step}, expected at most "
                f"{self.model.steps - 1}, the last of model.steps = {self.model.steps}"
            )
        return problems


@lru_cache(maxsize=4)
def _yinyang(samples: int, seed: int, steps: int, t_min: int) -> Dataset:
    """Return points of Yin-Yang; a search asks for the same ones in every trial."""
    from eventprop_apps.data.yinyang import yinyang

    return yinyang(samples, seed, steps=steps, t_min=t_min)


def run_training(
    experiment: Experiment, out: RunDirectory | None, progress: Progress
) -> dict[str, Any]:
    """Train on the simulated chip and return the summary."""
    # Lazy: `chipsim validate` needs the schema, not the simulator.
    training = import_module("eventprop_apps.training")
    return cast(dict[str, Any], training.run_training(experiment, out, progress))


def application_of(experiment: Experiment) -> tuple[Application, Machine]:
    """Return an experiment's application, with expected traffic, and its machine."""
    training = import_module("eventprop_apps.training")
    return cast("tuple[Application, Machine]", training.application_of(experiment))


def search_settings(
    experiment: Experiment, options: SearchOptions, progress: Progress
) -> dict[str, Any]:
    """Search an experiment's settings off the chip and return the trials."""
    search = import_module("eventprop_apps.search")
    return cast(dict[str, Any], search.search(experiment, options, progress))


YINYANG = ExperimentKind(
    name="yinyang",
    summary="train a 5-120-3 network on Yin-Yang with EventProp, every packet simulated",
    defaults=files("eventprop_apps") / "experiments" / "yinyang.toml",
    model=YinYangModel,
    run=run_training,
    search=search_settings,
    application=application_of,
)
