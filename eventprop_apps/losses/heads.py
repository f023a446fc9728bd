"""Several output heads of one kind: the outputs are cut into groups, each with its own loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chipsim.errors import DataError
from eventprop_apps.losses.api import Loss, Outputs, ReadOutLoss, Reads, Targets


@dataclass(frozen=True)
class Head:
    """One group of outputs.

    Attributes
    ----------
    size : int
        Number of its outputs, at least 1.
    loss : Loss
    weight : float
        Factor of its loss in the sum, at least 0.
    """

    size: int
    loss: Loss
    weight: float = 1.0


@dataclass(frozen=True)
class Heads:
    """The weighted sum of heads' losses.

    Parameters
    ----------
    parts : tuple of Head
        They take the outputs in order; a sample has one label for each.

    Raises
    ------
    DataError
        For heads that read different things of the outputs, or other nonsense.
    """

    parts: tuple[Head, ...]

    def __post_init__(self) -> None:
        problems = []
        if not self.parts:
            problems.append("no head, expected at least one")
        problems += [
            f"head {i} with size = {head.size} and weight = {head.weight}, expected at least one "
            "output and a finite weight of at least 0"
            for i, head in enumerate(self.parts)
            if head.size < 1 or not (math.isfinite(head.weight) and head.weight >= 0)
        ]
        reads = sorted({head.loss.reads for head in self.parts})
        if len(reads) > 1 or len({_shape(head.loss) for head in self.parts}) > 1:
            problems.append(
                f"heads of different kinds ({', '.join(reads)}), expected one kind: the output "
                "layer either spikes or is one read-out with one statistic"
            )
        if any(head.loss.wants_values or head.loss.heads != 1 for head in self.parts):
            problems.append("a head with targets of its own or with heads, expected labels")
        if problems:
            raise DataError("Heads: got " + "; got ".join(problems))

    @property
    def reads(self) -> Reads:
        """What of the outputs its heads judge."""
        return self.parts[0].loss.reads

    @property
    def heads(self) -> int:
        """Number of labels of a sample."""
        return len(self.parts)

    wants_values = False

    @property
    def outputs(self) -> int:
        """Number of outputs of all heads."""
        return sum(head.size for head in self.parts)

    @property
    def statistic(self) -> Literal["max", "weighted"]:
        """How a read-out's values follow from its voltages."""
        return self._read_out.statistic

    def step_weights(self, steps: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return the weight of each step's voltage, shape (steps,)."""
        return self._read_out.step_weights(steps, dtype)

    @property
    def _read_out(self) -> ReadOutLoss:
        loss = self.parts[0].loss
        assert isinstance(loss, ReadOutLoss)
        return loss

    def rows(
        self, outputs: Outputs, targets: Targets, batch: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `eventprop_apps.losses.api.Loss`."""
        shares = np.zeros(len(outputs), outputs.dtype)
        errors = np.zeros(outputs.first.shape, outputs.dtype)
        if self.reads == "spikes" and outputs.neuron is not None:
            errors = np.zeros(outputs.neuron.shape, outputs.dtype)
        for number, (head, own, place) in enumerate(self._cut(outputs)):
            labels = Targets(np.ascontiguousarray(targets.label[:, number : number + 1]))
            part, error = head.loss.rows(own, labels, batch)
            weight = np.asarray(head.weight, outputs.dtype)
            shares += weight * part
            errors[place] = weight * error
        return shares, errors

    def predict(self, outputs: Outputs) -> NDArray[np.int64]:
        """Return each head's choice, counted from the head's first output."""
        return np.concatenate([h.loss.predict(own) for h, own, _ in self._cut(outputs)], axis=1)

    def _cut(self, outputs: Outputs) -> Iterator[tuple[Head, Outputs, Any]]:
        """Yield each head, its outputs, and where its errors stand among all."""
        stops = list(accumulate(head.size for head in self.parts))
        for head, stop in zip(self.parts, stops, strict=True):
            columns = slice(stop - head.size, stop)
            first = np.ascontiguousarray(outputs.first[:, columns])
            values = None
            if outputs.values is not None:
                values = np.ascontiguousarray(outputs.values[:, columns])
            ptr = neuron = step = None
            place: Any = (slice(None), columns)
            if self.reads == "spikes":
                assert outputs.ptr is not None and outputs.neuron is not None
                assert outputs.step is not None
                mine = (outputs.neuron >= columns.start) & (outputs.neuron < stop)
                place = np.flatnonzero(mine)
                ptr = np.concatenate([[0], np.cumsum(mine)])[outputs.ptr].astype(np.int64)
                neuron = (outputs.neuron[place] - columns.start).astype(np.int32)
                step = outputs.step[place]
            yield (
                head,
                Outputs(outputs.steps, outputs.dtype, first, ptr, neuron, step, values),
                place,
            )


def _shape(loss: Loss) -> Any:
    """Return what read-outs must have in common: their statistic, and the weights of its steps."""
    if loss.reads != "values" or not isinstance(loss, ReadOutLoss):
        return None
    return loss.statistic, loss.step_weights(8, np.float64).tobytes()
