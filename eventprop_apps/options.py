"""How the chip runs a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chipsim.mapping.application import Transport
from eventprop_apps.exchange import ExchangeOptions
from eventprop_apps.splitting import RECORDS_PER_NEURON
from eventprop_apps.traffic import SPIKES_PER_NEURON

EXPECTED_SPIKES = (SPIKES_PER_NEURON, "trained 5-120-3 networks have 12 to 23 of 120")
LEAST_RECORDS = (RECORDS_PER_NEURON, "untrained 5-120-3 networks have 1.4")


@dataclass(frozen=True)
class ChipOptions:
    """How the chip runs a network; the same for ``chipsim run`` and ``evaluate``.

    Attributes
    ----------
    replicas : int
        Samples in parallel.
    transport : str
        Of spikes and errors: ``noc_direct`` or ``router_multicast``.
    network : str
        ``compiled`` or ``simpy``.
    placer, router : str
        Mapping strategies.
    seed : int
    tick_us : float or None
        Tick length [us]; the chip's default if None.
    level : str or None
        Policy of the PEs' clock levels: ``low``, ``high``, ``auto``; the chip's if None.
    timers : mapping
        How the PEs' timers differ: ``phase``, ``spread``, ``drift_ppm``, ``seed``, in place of the
        chip's.
    spike_records : int
        Spikes that a PE can record per neuron and sample; 0: one per time step, or what fits.
    parts : tuple of int
        PEs of each layer, 0 for as many as its SRAM asks for; that for all layers if empty.
    max_cycles : float or None
        Split layers further, until the expected work of a tick is at most this [PE cycles].
    expected_spikes : float or None
        Spikes of a LIF neuron in a sample that mapping and the cycle model expect; None: the
        shipped assumption.
    least_records : int or None
        Spikes a neuron and sample that a split leaves room for; None: the shipped assumption.
    exchange : ExchangeOptions
        Where gradients are summed and weights updated.
    mapping_file : str
        Take placement, routes and keys from this file instead of placing and routing.
    chips : int or None
        Chips over which the placer ``spread`` shares the replicas out; all of the machine's if
        None.
    """

    replicas: int
    transport: Transport = "noc_direct"
    network: str = "compiled"
    placer: str = "paper"
    router: str = "default"
    seed: int = 0
    tick_us: float | None = None
    level: str | None = None
    timers: Mapping[str, object] = field(default_factory=dict)
    spike_records: int = 0
    parts: tuple[int, ...] = ()
    max_cycles: float | None = None
    expected_spikes: float | None = None
    least_records: int | None = None
    exchange: ExchangeOptions = field(default_factory=ExchangeOptions)
    mapping_file: str = ""
    chips: int | None = None

    def assumptions(self) -> list[dict[str, Any]]:
        """Return the assumed figures that a network with these options rests on."""
        rows = [_row("model.expected_spikes", self.expected_spikes, EXPECTED_SPIKES)]
        if not self.parts or 0 in self.parts:
            rows.append(_row("model.least_records", self.least_records, LEAST_RECORDS))
        return rows


def _row(name: str, given: float | None, assumed: tuple[float, str]) -> dict[str, Any]:
    if given is not None:
        return {"name": name, "value": given, "kind": "U", "source": "set by the user"}
    return {"name": name, "value": assumed[0], "kind": "A", "source": assumed[1]}
