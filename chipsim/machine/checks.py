"""Relations between figures that the range of each one cannot express."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chipsim.machine.floor import Floor

_MOST_MHZ = 1_000_000
"""One flit per picosecond: the equal-time rules need at least 1 ps per flit."""


def relations(family: str, values: Mapping[str, Any]) -> list[str]:
    """Return what is inconsistent among figures that are each within their range."""
    found = _payloads(values)
    for clock, rate in (
        ("noc.clock_mhz", "noc.flits_per_cycle"),
        ("router.clock_mhz", "router.mc_packets_per_cycle"),
    ):
        if clock in values and rate in values and values[clock] * values[rate] > _MOST_MHZ:
            found.append(f"{clock}, {rate}: more than one per picosecond; lower one of them")
    symbols = values.get("links.symbols_per_packet")
    if symbols is not None and len(symbols) != len(values["packet.payload_bits"]):
        found.append(
            f"links.symbols_per_packet: got {len(symbols)} values for the "
            f"{len(values['packet.payload_bits'])} sizes of packet.payload_bits, expected one each"
        )
    if values.get("router.emergency") and values.get("router.wait2_cycles") == 0:
        found.append(
            "router.emergency: got true with router.wait2_cycles = 0; set wait2_cycles too"
        )
    if values.get("router.emergency") and values.get("router.blocked_policy") == "backpressure":
        found.append(
            'router.emergency: got true with router.blocked_policy = "backpressure", where packets '
            'wait for ever; set blocked_policy = "drop" too'
        )
    if family == "spinnaker2":
        found += _pe(values) + Floor.from_values(values).problems()
    return found


def _payloads(values: Mapping[str, Any]) -> list[str]:
    sizes = values["packet.payload_bits"]
    found = []
    if sizes != sorted(set(sizes)):
        found.append(f"packet.payload_bits: got {sizes}, expected increasing sizes")
    frames = values.get("links.frames_per_packet", sizes)
    if len(frames) != len(sizes):
        found.append(
            f"links.frames_per_packet: got {len(frames)} values for the {len(sizes)} sizes of "
            "packet.payload_bits, expected one each"
        )
    return found


def _pe(values: Mapping[str, Any]) -> list[str]:
    found = []
    for low, high in (
        ("pe.levels.low_mhz", "pe.levels.high_mhz"),
        ("pe.levels.low_v", "pe.levels.high_v"),
        ("pe.exp_min_cycles", "pe.exp_max_cycles"),
        ("pe.data_kb", "pe.sram_kb"),
        ("pe.app_data_kb", "pe.data_kb"),
    ):
        if low in values and high in values and values[low] > values[high]:
            found.append(f"{low}: got {values[low]}, expected at most {high} = {values[high]}")
    return found
