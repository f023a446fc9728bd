"""Expected spikes of a sample: what mapping weighs nets by, and the cycle model starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eventprop_apps.model import Model

SPIKES_PER_NEURON = 0.15
"""Assumed spikes of a LIF neuron in a sample: trained 5-120-3 networks have 12 to 23 of 120."""


@dataclass(frozen=True)
class Traffic:
    """Spikes of a sample, by layer.

    Attributes
    ----------
    spikes : tuple of float
        Of the input, then of each layer; a read-out sends one value a neuron. Every spike but
        those of the input is answered with one error by each PE of the layer above. In the phase
        ``exchange`` a net's figure is the packets of one whole exchange.
    """

    spikes: tuple[float, ...]

    def inputs(self, model: Model, layer: int, lines: tuple[int, int]) -> float:
        """Return the expected spikes per step on some input lines of a layer, from and to."""
        below = model.sizes[layer]
        from_below = max(0, min(lines[1], below) - min(lines[0], below))
        rate = self.spikes[layer] * from_below / below
        own = lines[1] - lines[0] - from_below
        if own:
            rate += self.spikes[layer + 1] * own / model.sizes[layer + 1]
        return rate / model.steps

    def busy_share(self, model: Model, layer: int, lines: tuple[int, int]) -> float:
        """Return the expected share of steps with a spike on some lines (a Poisson one)."""
        return 1.0 - math.exp(-self.inputs(model, layer, lines))

    @classmethod
    def assumed(
        cls, model: Model, input_spikes: float | None = None, per_neuron: float | None = None
    ) -> Traffic:
        """Return the shipped expectation: one spike an input line, 0.15 a neuron.

        Parameters
        ----------
        model : Model
        input_spikes : float, optional
            Input spikes of a sample, where the data are known.
        per_neuron : float, optional
            Spikes of a LIF neuron instead of the shipped figure.
        """
        below = float(model.sizes[0]) if input_spikes is None else float(input_spikes)
        own = SPIKES_PER_NEURON if per_neuron is None else float(per_neuron)
        layers = [
            size * (own if model.spikes(layer) else 1.0)
            for layer, size in enumerate(model.sizes[1:])
        ]
        return cls((below, *layers))
