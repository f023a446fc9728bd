"""Sections of an experiment that say what the network is: its layers, and their initial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from chipsim.experiment.model import Count, Positive, Section

if TYPE_CHECKING:
    from eventprop_apps.kernels.factors import Factors


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
