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
    Positive,
    Section,
)
from chipsim.mapping.application import KINDS
from eventprop_apps.sections import (
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
    from eventprop_apps.kernels.factors import Factors
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


class ModelSection(Section):
    """The network of leaky integrate-and-fire neurons."""

    layers: Annotated[list[Count], Field(min_length=2)]
    """Neurons of each layer: input lines (with bias), hidden, output."""
    steps: Annotated[int, Field(ge=2, le=10**6)]
    """Time steps of a sample (T)."""
    dt_ms: Positive
    """Length of a time step [ms]."""
    tau_mem_ms: Positive
    """Time constant of the membrane [ms]."""
    tau_syn_ms: Positive
    """Time constant of the synaptic current [ms]."""
    factors: Literal["exp", "euler"]
    """Decay per step: exp(-dt/tau), or euler: 1 - dt/tau."""
    dtype: Literal["float32", "float64"]
    """Arithmetic; float64 takes 64-bit payloads and is not the hardware's."""
    threshold: Positive
    """Firing threshold."""
    recurrent: list[bool]
    """Whether each layer's spikes come back to itself; an empty list: none."""
    parts: list[Annotated[int, Field(ge=0)]]
    """PEs of each layer, 0: as many as its SRAM asks for; an empty list: so for all layers."""
    split: Literal["neurons", "inputs"] = "neurons"
    """How layers lie on several PEs; by inputs is another network: spikes act two steps later."""
    split_by_layer: list[Literal["neurons", "inputs"]] | None = None
    """The same for each layer, instead of one for all."""
    max_cycles: Positive | None = None
    """Split layers until the expected work of a tick is at most this [PE cycles]."""
    tau_mem_ms_by_layer: list[Positive] | None = None
    """Time constant of the membrane of each layer [ms], instead of one for all."""
    tau_syn_ms_by_layer: list[Positive] | None = None
    """Time constant of the synaptic current of each layer [ms], instead of one for all."""
    threshold_by_layer: list[Positive] | None = None
    """Firing threshold of each layer, instead of one for all."""
    factors_by_layer: list[Literal["exp", "euler"]] | None = None
    """Form of the decay per step of each layer, instead of one for all."""
    expected_spikes: Positive | None = None
    """Spikes of a LIF neuron in a sample that mapping expects; 0.15 (assumed) if not given."""
    least_records: Count | None = None
    """Spikes of a neuron in a sample that a split has room for; 2 (assumed) if not given."""

    def problems(self, readout: bool = False) -> list[str]:
        """Return what is wrong between fields."""
        layers = len(self.layers) - 1
        named = {
            name: getattr(self, name)
            for name in (
                "recurrent",
                "parts",
                "tau_mem_ms_by_layer",
                "tau_syn_ms_by_layer",
                "threshold_by_layer",
                "factors_by_layer",
                "split_by_layer",
            )
        }
        problems = [
            f"model.{name}: got {len(values)} values, expected {layers}, one for each layer after "
            f"the input of model.layers = {self.layers}"
            for name, values in named.items()
            if values and len(values) != layers
        ]
        if readout and len(self.recurrent) == layers and self.recurrent[-1]:
            problems.append(
                f"model.recurrent: got {self.recurrent}, expected false for the last layer: a "
                "read-out has no spikes"
            )
        problems += self._part_problems()
        shortest = self._shortest_euler()
        if shortest is not None and self.dt_ms >= shortest:
            problems.append(
                f"model.dt_ms: got {self.dt_ms}, expected less than the time constants "
                f'({shortest} ms) with factors = "euler"; take factors = "exp"'
            )
        return problems

    def _part_problems(self) -> list[str]:
        """Return which layers are given more PEs than they have neurons, or input lines."""
        problems = []
        ways = self.split_by_layer or [self.split] * len(self.parts)
        again = self.recurrent or [False] * len(self.parts)
        shapes = zip(self.layers[:-1], self.layers[1:], again, strict=False)
        for count, way, (below, size, own) in zip(self.parts, ways, shapes, strict=False):
            by_inputs = way == "inputs"
            most = below + own * size if by_inputs else size
            if count > most:
                things = "input lines" if by_inputs else "neurons"
                problems.append(
                    f"model.parts: got {count} PEs for a layer of {most} {things}, expected at "
                    f"most {most}"
                )
        return problems

    def slices(self) -> tuple[int, ...]:
        """Return into how many slices of its inputs each layer is split; 0: not so."""
        from eventprop_apps.model import slices_of

        return slices_of(self.split_by_layer or self.split, self.parts, len(self.layers) - 1)

    def _shortest_euler(self) -> float | None:
        """Return the shortest time constant of layers with factors of the form euler [ms]."""
        layers = len(self.layers) - 1
        columns = [
            given or [one] * layers
            for given, one in (
                (self.tau_mem_ms_by_layer, self.tau_mem_ms),
                (self.tau_syn_ms_by_layer, self.tau_syn_ms),
            )
        ]
        kinds = self.factors_by_layer or [self.factors] * layers
        return min(
            (
                value
                for column in columns
                for kind, value in zip(kinds, column, strict=False)
                if kind == "euler"
            ),
            default=None,
        )

    def layer_factors(self) -> tuple[Factors, ...]:
        """Return each layer's decay factors and threshold."""
        from eventprop_apps.model import layer_factors

        return layer_factors(
            len(self.layers) - 1,
            self.factors_by_layer or self.factors,
            dt_ms=self.dt_ms,
            tau_mem_ms=self.tau_mem_ms_by_layer or self.tau_mem_ms,
            tau_syn_ms=self.tau_syn_ms_by_layer or self.tau_syn_ms,
            threshold=self.threshold_by_layer or self.threshold,
        )

    def recurrences(self) -> tuple[bool, ...]:
        """Return whether each layer is recurrent."""
        return tuple(self.recurrent) or (False,) * (len(self.layers) - 1)


class InitSection(Section):
    """Initial weights: normal, mean s_mean/sqrt(fan_in), deviation s_dev/sqrt(fan_in)."""

    scales: list[Annotated[list[float], Field(min_length=2, max_length=2)]]
    """[s_mean, s_dev] for each layer of weights, from the input on."""
    recurrent_scales: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """[s_mean, s_dev] of all recurrent weights, by the layer's own size; [0, 1] if not given."""
    weights: Annotated[str, Field(min_length=1)] | None = None
    """Start from these weights instead: weights.npz, or the directory of a run."""


class TrainingModel(ExperimentModel):
    """The sections of every experiment that trains a network on the chip, but for its data."""

    model: ModelSection
    loss: LossSection
    optimizer: OptimizerSection
    train: ExchangeTrainSection
    init: InitSection

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
