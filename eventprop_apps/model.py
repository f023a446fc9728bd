"""The spiking network that is trained: layers, time steps, factors, loss, number format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import DTypeLike

from chipsim.errors import DataError, did_you_mean
from chipsim.network.api import PAYLOAD_WORDS
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss

if TYPE_CHECKING:
    from eventprop_apps.losses.regularisers import Regulariser

Split: TypeAlias = Literal["neurons", "inputs"]
"""How a layer lies on several PEs."""
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class Model:
    """A network of leaky integrate-and-fire layers, one after the other.

    Attributes
    ----------
    sizes : tuple of int
        Input lines, then neurons of each layer.
    steps : int
        Time steps T of a sample, at least 2.
    factors : tuple of Factors
        Decay factors and threshold of each layer.
    loss : Loss
        Judges the last layer.
    dtype : dtype
        float32 (the M4F's) or float64 (not the hardware's).
    recurrent : tuple of bool
        Layers whose spikes come back to their own neurons one step later.
    readout : bool
        Whether the last layer is a leaky read-out, which does not spike.
    regularisers : tuple of Regulariser or None
        Of each layer's spikes.
    slices : tuple of int
        Of each layer: 0, or into how many slices its input lines are split. A layer in slices is
        another one: spikes act two steps later instead of one, and its currents are sums of the
        slices' sums.

    Notes
    -----
    A recurrent layer's weights are one array ``[W | R]`` of shape (n, n_below + n): its own
    neurons are further input lines, after those from below.
    """

    sizes: tuple[int, ...]
    steps: int
    factors: tuple[Factors, ...]
    loss: Any
    dtype: np.dtype[Any]
    recurrent: tuple[bool, ...]
    readout: bool = False
    regularisers: tuple[Regulariser | None, ...] = ()
    slices: tuple[int, ...] = ()

    @classmethod
    def make(
        cls,
        sizes: Sequence[int],
        steps: int,
        factors: Factors | Sequence[Factors],
        loss: Any = None,
        dtype: DTypeLike = np.float32,
        *,
        recurrent: bool | Sequence[bool] = False,
        regularisers: Regulariser | Sequence[Regulariser | None] | None = None,
        slices: int | Sequence[int] = 0,
    ) -> Model:
        """Return a checked model.

        Parameters
        ----------
        sizes : sequence of int
            Input lines, then neurons of each layer.
        steps : int
        factors : Factors or sequence of Factors
            The same for all layers, or one a layer.
        loss : Loss, optional
            ``TTFSLoss()`` by default. One that reads ``values`` makes the last layer a leaky
            read-out.
        dtype : {float32, float64}
        recurrent : bool or sequence of bool
            One for all LIF layers, or one a layer.
        regularisers : Regulariser or sequence of Regulariser or None, optional
            One for all LIF layers, or one a layer.
        slices : int or sequence of int
            One for all layers, or one a layer.

        Raises
        ------
        DataError
            Naming everything that does not fit.
        """
        judge = TTFSLoss() if loss is None else loss
        readout = getattr(judge, "reads", "first") == "values"
        layers = max(0, len(sizes) - 1)
        per_layer = {
            "factors": spread(factors, layers),
            "recurrent": recurrent_layers(recurrent, layers, readout),
            "regularisers": _of_spiking(regularisers, layers, readout, None),
            "slices": spread(slices, layers),
        }
        problems = _size_problems(sizes, steps, dtype)
        for name, values in per_layer.items():
            problems += _count_problem(name, len(values), layers)
            if (
                readout
                and name in ("recurrent", "regularisers")
                and len(values) == layers > 0
                and values[-1]
            ):
                problems.append(
                    f"{name} is set for the last layer, a read-out, which has no spikes"
                )
        whole = tuple(int(n) for n in sizes)
        if not problems:
            problems = _slice_problems(whole, per_layer["recurrent"], per_layer["slices"])
        if problems:
            raise DataError("model: " + "; ".join(problems))
        return cls(
            whole, int(steps), per_layer["factors"], judge, np.dtype(dtype),
            per_layer["recurrent"], readout, per_layer["regularisers"], per_layer["slices"],
        )  # fmt: skip

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.sizes) - 1

    @property
    def word_count(self) -> int:
        """32-bit words of one number."""
        return self.dtype.itemsize // 4

    @property
    def numbers_per_packet(self) -> int:
        """Numbers that a packet of 128 bit carries."""
        return PAYLOAD_WORDS // self.word_count

    @property
    def plain(self) -> bool:
        """Whether all layers spike and none is recurrent."""
        return not self.readout and not any(self.recurrent)

    def spikes(self, layer: int) -> bool:
        """Return whether a layer spikes."""
        return not (self.readout and layer == self.layers - 1)

    def sliced(self, layer: int) -> bool:
        """Return whether a layer is split by inputs."""
        return bool(self.slices) and self.slices[layer] > 0

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks of weights of each layer whose sums the model tells apart: slices, or one."""
        return tuple(max(1, n) for n in self.slices) or (1,) * self.layers

    def shape(self, layer: int) -> tuple[int, int]:
        """Return (neurons, input lines) of a layer's weights; see the class for recurrence."""
        return self.sizes[layer + 1], lines_of(self.sizes, self.recurrent, layer)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(out * into for out, into in map(self.shape, range(self.layers)))


def _slice_problems(
    sizes: Sequence[int], recurrent: Sequence[bool], slices: Sequence[int]
) -> list[str]:
    return [
        f"got {count} slices of layer {layer}, expected 0 to {lines}, its input lines"
        for layer, count in enumerate(slices)
        if not 0 <= count <= (lines := lines_of(sizes, recurrent, layer))
    ]


def recurrent_layers(
    recurrent: bool | Sequence[bool], layers: int, readout: bool
) -> tuple[bool, ...]:
    """Return which layers are recurrent; one value for all leaves a read-out out."""
    return _of_spiking(recurrent, layers, readout, False)


def lines_of(sizes: Sequence[int], recurrent: Sequence[bool], layer: int) -> int:
    """Return a layer's input lines: those from below, then its own neurons if it is recurrent."""
    own = sizes[layer + 1] if recurrent[layer] else 0
    return sizes[layer] + own


def slices_of(split: Split | Sequence[Split], parts: Sequence[int], layers: int) -> tuple[int, ...]:
    """Return `Model.slices` of layers that are split so, on so many PEs (0 or none: one slice).

    Raises
    ------
    DataError
        For an unknown split, or one for another number of layers.
    """
    ways = spread(split, layers)
    problems = _count_problem("split", len(ways), layers)
    problems += [
        f"split: got {way!r}{did_you_mean(str(way), SPLITS)}" for way in ways if way not in SPLITS
    ]
    if problems:
        raise DataError("model: " + "; ".join(problems))
    counts = tuple(parts) if len(parts) == layers else (1,) * layers
    return tuple(max(1, n) if way == "inputs" else 0 for way, n in zip(ways, counts, strict=True))


def _of_spiking(value: Any, layers: int, readout: bool, none: Any) -> tuple[Any, ...]:
    """Return one value a layer; what is given once does not hold for a read-out."""
    found = spread(value, layers)
    if isinstance(value, Iterable) or not (readout and found):
        return found
    return (*found[:-1], none)


def spread(value: Any, layers: int) -> tuple[Any, ...]:
    """Return one value a layer, from one for all or a sequence."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(value)
    return (value,) * layers


def layer_factors(
    layers: int,
    kind: str | Sequence[str] = "exp",
    *,
    dt_ms: float = 1.0,
    tau_mem_ms: float | Sequence[float] = 20.0,
    tau_syn_ms: float | Sequence[float] = 5.0,
    threshold: float | Sequence[float] = 1.0,
) -> tuple[Factors, ...]:
    """Return each layer's factors; what is given once holds for all layers.

    Raises
    ------
    DataError
        For lists of another length (all named at once), or values that `Factors.make` refuses.
    """
    columns = {
        "factors": spread(kind, layers),
        "tau_mem_ms": spread(tau_mem_ms, layers),
        "tau_syn_ms": spread(tau_syn_ms, layers),
        "threshold": spread(threshold, layers),
    }
    problems = [p for name, own in columns.items() for p in _count_problem(name, len(own), layers)]
    if problems:
        raise DataError("model: " + "; ".join(problems))
    found = []
    for layer in range(layers):
        own = {name: column[layer] for name, column in columns.items()}
        try:
            found.append(Factors.make(own.pop("factors"), dt_ms=dt_ms, **own))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(dict.fromkeys(problems)))
    return tuple(found)


def _count_problem(name: str, got: int, layers: int) -> list[str]:
    if got == layers:
        return []
    return [f"{name} names {got} layers, expected {layers} (or one value for all)"]


def _size_problems(sizes: Sequence[int], steps: int, dtype: DTypeLike) -> list[str]:
    problems = []
    if len(sizes) < 2 or min(sizes) < 1:
        problems.append(
            f"got sizes {tuple(sizes)}, expected input lines and at least a layer, all at least 1"
        )
    if steps < 2:
        problems.append(f"got {steps} time steps, expected at least 2")
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        problems.append(f"got dtype {np.dtype(dtype)}, expected float32 or float64")
    return problems
