"""Figures that stand in a description for the record: nothing in the model reads them.

Setting one would change no result, so that a setting of it is refused, with what to set instead.
A file of one's own may give them; they show in ``chipsim machine``.
"""

from __future__ import annotations

from collections.abc import Mapping

_CNOC = "the configuration NoC is not modelled"
_FRAME = "links.{}.frame_ns says how long a frame takes"
_ACCELERATOR = (
    "the accelerators are not modelled; an operation's cycles are set by pe.cycles.NAME or in the "
    "application's costs"
)
_RECORD = "it is kept to check sums of power by hand"
_BOARD = "the machine's name (spinnaker2-48, ...-triads-WxH) says how many chips there are"

_SHARED: Mapping[str, str] = {
    "router.key_bits": "keys have 32 bit; a net's block of keys is its key_bits",
    "router.counters": "a router has 16 counters, which are filtered after a run",
    "pe.transport": "a net's transport, mapping.transport or the application's says how it is sent",
    "board.chips": _BOARD,
    "board.ethernet_chips": "each board has one Ethernet chip; other chips have no host link",
}

_SPINNAKER2: Mapping[str, str] = {
    **_SHARED,
    "pe.banks": "accesses to a PE's memory do not collide; operations cost pe.cycles.NAME",
    "pe.mla_macs_per_cycle": _ACCELERATOR,
    "pe.exp_min_cycles": _ACCELERATOR,
    "pe.exp_max_cycles": _ACCELERATOR,
    "pe.rng_cycles": _ACCELERATOR,
    "pe.levels.low_v": "a level acts by its MHz, energy.pe_cycle_..._pj and power.pe_sleep_..._mw",
    "pe.levels.high_v": "a level acts by its MHz, energy.pe_cycle_..._pj and power.pe_sleep_..._mw",
    "cnoc.clock_mhz": _CNOC,
    "cnoc.flit_bits": _CNOC,
    "packet.mc_bits": "a NoC packet is one flit of noc.flit_bits whatever its payload; on links "
    "links.frames_per_packet counts",
    "links.short.gbps": _FRAME.format("short"),
    "links.long.gbps": _FRAME.format("long"),
    "links.long.coding": _FRAME.format("long"),
    "links.short.crc_resend": "a frame that was hit is always sent again; links.short.error_rate "
    "says how often one is",
    "dma.engines": "a PE has one DMA engine; dma.max_outstanding says how much it does at once",
    "power.pe_off_mw": "no PE is switched off in a run",
    "energy.mac_low_pj": _ACCELERATOR,
    "energy.mac_high_pj": _ACCELERATOR,
}

_SPINNAKER1: Mapping[str, str] = {
    **_SHARED,
    "dram.write_mib_per_s": "dram.interface_gbps and dma.word_ns say how fast words are moved",
    "host.ethernet_chip_gbps": "host.link_gbps is the rate that the host link has",
    "host.other_chips_gbps": "host.link_gbps is the rate that the host link has",
    "power.board_idle_w": f"{_RECORD}; power.uncore_mw counts for each chip",
    "power.frame_idle_w": f"{_RECORD}; power.uncore_mw counts for each chip",
    "power.frame_active_w": f"{_RECORD}; energy.pe_cycle_high_pj counts for each core",
}

DOCUMENTED: Mapping[str, Mapping[str, str]] = {
    "spinnaker1": _SPINNAKER1,
    "spinnaker2": _SPINNAKER2,
    "mesh": {},
    "torus": {},
    "hex-torus": {},
}
"""By family and figure: what says instead what the figure seems to say."""


def refusal(family: str, figure: str) -> str | None:
    """Return why a figure cannot be set, None if it can."""
    instead = DOCUMENTED.get(family, {}).get(figure)
    if instead is None:
        return None
    return f"nothing in the model reads it, so that setting it would change nothing; {instead}"
