"""Sections of an experiment that say what is learned, how and where: loss, optimiser, exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field

from chipsim.errors import DataError, ExperimentError, did_you_mean
from chipsim.experiment.model import (
    Count,
    NotNegative,
    Positive,
    Section,
    Share,
    TrainSection,
)

if TYPE_CHECKING:
    from eventprop_apps.exchange.options import ExchangeOptions
    from eventprop_apps.losses.api import Loss
    from eventprop_apps.losses.regularisers import Regulariser
    from eventprop_apps.optimisers.api import OptimiserSettings
    from eventprop_apps.optimisers.schedules import Schedule


class CostsSection(Section):
    """Cycles of EventProp's operations that differ from costs.toml (adam_update = 100)."""

    model_config = ConfigDict(extra="allow")

    def cycles(self) -> dict[str, int]:
        """Return what was set, by operation."""
        return dict(self.model_extra or {})

    def problems(self) -> list[str]:
        """Return what is wrong with it, one sentence each."""
        from eventprop_apps.costs import load

        try:
            load(self.cycles())
        except ExperimentError as error:
            return [f"costs.{problem}" for problem in error.problems]
        return []


class LossSection(Section):
    """What the outputs should do."""

    name: Literal["ttfs", "spike_time", "count", "count_mse", "readout"] = "ttfs"
    """Cross-entropy of first spikes; squared error of them; of counts; a leaky read-out."""
    form: Literal["offchip", "onchip"]
    """offchip: xi, alpha, beta, all outputs; onchip: tau0_ms, alpha, tau1_ms, spiking outputs."""
    xi: Positive
    """Softmax scale of spike times [steps], form offchip."""
    alpha: NotNegative
    """Weight of the term that favours early spikes of the right output."""
    beta: Positive
    """Time scale of that term [steps], form offchip."""
    tau0_ms: Positive
    """Softmax scale of spike times [ms], form onchip."""
    tau1_ms: Positive
    """Time scale of the early-spike term [ms], form onchip."""
    scale: Positive | None = None
    """What counts as one: steps (spike_time), spikes (count, count_mse), voltage (readout)."""
    right: NotNegative | None = None
    """Wanted step (spike_time) or spikes (count_mse) of the right output."""
    wrong: NotNegative | None = None
    """Wanted step or spikes of the others."""
    value: Literal["max", "mean", "exp"] = "max"
    """Value of a read-out's voltage: its maximum, its mean, its mean weighted by exp(-t/T)."""
    targets: Annotated[str, Field(min_length=1)] | None = None
    """File with wanted steps by sample and output, spike_time: arrays train, test in an .npz."""
    heads: list[str] | None = None
    """Labels of the data set; each is judged by outputs of its own, in this order."""
    head_weights: list[NotNegative] | None = None
    """Weight of each head's loss in the sum; 1 if not given."""
    low: NotNegative | None = None
    """Spikes of a neuron in a sample below which `under` and `silent` act."""
    high: NotNegative | None = None
    """Spikes of a neuron in a sample above which `over` acts."""
    under: NotNegative | None = None
    """Strength of the pull of LIF layers to more spikes, on the spikes there are."""
    over: NotNegative | None = None
    """Strength of the pull to fewer spikes."""
    silent: NotNegative | None = None
    """Strength of the drive of neurons that spike too little, silent ones included."""
    late: NotNegative | None = None
    """Strength of first-spike-time regularisation."""

    def loss(self, dt_ms: float, sizes: Mapping[str, int] | None = None) -> Loss:
        """Return the loss.

        Parameters
        ----------
        dt_ms : float
            Length of a time step [ms].
        sizes : mapping of str to int, optional
            Outputs of each label's head; only looked at where there are ``heads``.

        Raises
        ------
        DataError
            For values that do not fit each other.
        """
        from eventprop_apps.losses import Head, Heads

        one = self._one(dt_ms)
        if not self.heads:
            return one
        weights = self.head_weights or [1.0] * len(self.heads)
        return Heads(
            tuple(
                Head((sizes or {}).get(name, 1), one, weight)
                for name, weight in zip(self.heads, weights, strict=False)
            )
        )

    def _one(self, dt_ms: float) -> Loss:
        """Return the loss of one head."""
        from eventprop_apps import losses

        if self.name == "ttfs":
            if self.form == "onchip":
                return losses.TTFSLoss.on_chip(self.tau0_ms, self.tau1_ms, self.alpha, dt_ms=dt_ms)
            return losses.TTFSLoss(self.xi, self.alpha, self.beta)
        given = {
            name: value
            for name in ("scale", "right", "wrong")
            if (value := getattr(self, name)) is not None
        }
        if self.name == "spike_time":
            return losses.SpikeTimeMSE(**given, given=self.targets is not None)
        if self.name == "count_mse":
            return losses.SpikeCountMSE(**given)
        scale = {"scale": self.scale} if self.scale is not None else {}
        if self.name == "count":
            return losses.SpikeCountCrossEntropy(**scale)
        return losses.ReadOutCrossEntropy(self.value, **scale)

    def regulariser(self) -> Regulariser | None:
        """Return the regulariser of the LIF layers; None where no term has a strength."""
        from eventprop_apps.losses.regularisers import Regulariser

        names = ("low", "high", "under", "over", "silent", "late")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        made = Regulariser(**given)
        return made if made.acts else None

    def problems(self, labels: Sequence[str] = ()) -> list[str]:
        """Return what is wrong between fields; ``labels``: those that the data set has."""
        problems = self._head_problems(labels)
        if self.targets is not None and self.name != "spike_time":
            problems.append(
                f'loss.targets: got a file with loss.name = "{self.name}", expected "spike_time", '
                "the one loss that takes wanted steps"
            )
        try:
            self.loss(1.0)
            self.regulariser()
        except DataError as error:
            problems.append(f"loss: {error}")
        return problems

    def _head_problems(self, labels: Sequence[str]) -> list[str]:
        heads, weights = self.heads or [], self.head_weights or []
        problems = [
            f"loss.heads: unknown label {name!r}{did_you_mean(name, labels)}; the data have "
            f"{', '.join(labels) or 'no labels with names'}"
            for name in heads
            if name not in labels
        ]
        if len(set(heads)) < len(heads):
            problems.append(f"loss.heads: got {heads}, expected each label once")
        if weights and len(weights) != len(heads):
            problems.append(
                f"loss.head_weights: got {len(weights)} weights, expected {len(heads)}, one for "
                "each of loss.heads"
            )
        return problems


class OptimizerSection(Section):
    """The optimiser, which runs on PEs of its own."""

    name: Literal["adam", "adamw", "sgd"]
    """adam: L2 decay added to the gradient; adamw: decay apart from it; sgd: with momentum."""
    lr: Positive
    """Learning rate at the start."""
    schedule: Literal["exponential", "constant", "cosine", "step"] = "exponential"
    """How the learning rate falls: by lr_decay per epoch, smoothly or every step_epochs; to 0."""
    lr_decay: Annotated[float, Field(gt=0, le=1)]
    """Factor on the learning rate per epoch, applied smoothly per batch; or per step."""
    step_epochs: Count = 10
    """Epochs between two steps, schedule step."""
    beta1: Share
    """Decay of the mean of gradients, adam and adamw."""
    beta2: Share
    """Decay of the mean of squared gradients, adam and adamw."""
    epsilon: Positive
    """Added to the root of the mean of squares, adam and adamw."""
    momentum: Share = 0.9
    """What is left of the velocity after an update, sgd."""
    nesterov: bool = False
    """Whether sgd steps along the velocity to come."""
    weight_decay: NotNegative
    """L2 decay: this times the weights is added to the gradient; with adamw lr times this."""
    clip_norm: Positive | None = None
    """Largest norm of a batch's gradient over all weights; not clipped if not given."""

    def settings(self, epochs: int) -> OptimiserSettings:
        """Return the optimiser's settings for a training of ``epochs`` epochs."""
        from eventprop_apps import optimisers

        if self.name == "sgd":
            return optimisers.SGDSettings(
                self.lr, self.momentum, self.nesterov, self.weight_decay, self._schedule(epochs)
            )
        kind = optimisers.AdamSettings if self.name == "adam" else optimisers.AdamWSettings
        own = None if self.schedule == "exponential" else self._schedule(epochs)
        return kind(
            self.lr,
            self.beta1,
            self.beta2,
            self.epsilon,
            self.weight_decay,
            self.lr_decay,
            own,
        )

    def _schedule(self, epochs: int) -> Schedule:
        from eventprop_apps import optimisers

        if self.schedule == "exponential":
            return optimisers.Exponential(self.lr_decay)
        if self.schedule == "cosine":
            return optimisers.Cosine(epochs)
        if self.schedule == "step":
            return optimisers.Step(self.step_epochs, self.lr_decay)
        return optimisers.Constant()


class ExchangeTrainSection(TrainSection):
    """How long, from which seed, and how replicas agree on new weights."""

    exchange: Literal["gather", "tree", "sharded"] = "gather"
    """All gradients to one optimiser PE; summed by a tree first; several optimiser PEs."""
    arity: Annotated[int, Field(ge=2, le=64)] = 4
    """Sums that a PE of the tree adds up, its own included."""
    shards: Annotated[int, Field(ge=1, le=64)] = 4
    """Optimiser PEs of the sharded exchange, each with a part of the weights."""
    optimiser_state: Literal["sram", "dram"] = "sram"
    """Where summed gradients and moments lie; in DRAM they pass through the PE in chunks."""

    checkpoint_batches: Count | None = None
    """Write a checkpoint into --out after so many batches (tests count); left out: every epoch."""

    def options(self) -> ExchangeOptions:
        """Return the exchange between batches."""
        from eventprop_apps.exchange.options import ExchangeOptions

        return ExchangeOptions(self.exchange, self.arity, self.shards, self.optimiser_state)
