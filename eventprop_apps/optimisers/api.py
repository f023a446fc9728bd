"""What every optimiser offers, so that trainers and programs need not know which it is."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray


class Optimiser(Protocol):
    """An optimiser over one flat vector of weights.

    Element k of an update depends on element k of weights, gradient and state only, and on the
    update's scalars: so chunks of any size give the bits of the whole.
    """

    updates: int

    @property
    def operation(self) -> str:
        """What updating a weight costs: an operation of ``costs.toml``."""

    def next_scalars(self) -> NDArray[Any]:
        """Return the scalars of the update that comes next."""

    def update_part(
        self, weights: NDArray[Any], gradient: NDArray[Any], start: int, scalars: NDArray[Any]
    ) -> None:
        """Update ``weights``, the words from ``start`` on, in place; does not count the update."""

    def update(self, weights: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Update all ``weights`` (flat, contiguous) in place and count the update."""

    def moments(self) -> list[NDArray[Any]]:
        """Return the arrays of the state, one number for each weight, as views."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs: numbers and arrays by name."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's ``state()``."""


class OptimiserSettings(Protocol):
    """Settings that an optimiser is made from."""

    def make(self, words: int, batches_per_epoch: int, dtype: DTypeLike) -> Optimiser:
        """Return a fresh optimiser for ``words`` weights."""
