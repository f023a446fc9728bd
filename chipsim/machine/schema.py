"""Which figures a description may hold: form, range and unit of each.

The unit of a figure is the end of its name (``hop_cycles``, ``clock_mhz``); counts and choices have
none. A family's table of figures is what a file is checked against, so that a misspelt or foreign
figure is found when the file is read and not when a run misses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Form = Literal["integer", "number", "flag", "text", "capacity", "integers", "tiles", "turns"]
Value: TypeAlias = "int | float | bool | str | list[int] | list[list[int]] | list[list[int | str]]"

UNITS: Mapping[str, str] = {
    "cycles": "cycles",
    "mhz": "MHz",
    "bits": "bit",
    "ps": "ps",
    "ns": "ns",
    "us": "us",
    "ms": "ms",
    "pj": "pJ",
    "mw": "mW",
    "w": "W",
    "v": "V",
    "kb": "kB",
    "gb": "GB",
    "gbps": "Gbit/s",
    "bytes": "byte",
    "packets": "packets",
}
"""Units by the suffix that stands for them."""

UNBOUNDED_TEXT = "unbounded"
CYCLES_TABLES = ("pe.cycles",)
"""Tables whose entries are all in cycles."""


def unit_of(name: str) -> str:
    """Return the unit of a figure by its name, or ``""`` (``noc.hop_cycles`` is in cycles)."""
    table, _, last = name.rpartition(".")
    if table in CYCLES_TABLES:
        return "cycles"
    head, per, tail = last.partition("_per_")
    if per and tail in ("cycle", "flit", "packet"):
        return f"{head.rpartition('_')[2]}/{tail}"
    return UNITS.get(last.rpartition("_")[2], "")


def stem_of(name: str) -> str:
    """Return a figure's name without its unit (``noc.hop`` for ``noc.hop_cycles``)."""
    head, _, tail = name.rpartition("_")
    return head if tail in UNITS else name


@dataclass(frozen=True)
class Spec:
    """What one figure may be.

    Attributes
    ----------
    form : str
        ``integer``, ``number``, ``flag``, ``text`` (one of ``choices``), ``capacity`` (packets, or
        ``"unbounded"``), ``integers``, ``tiles`` (a list of [x, y]) or ``turns`` (a list of
        [x, y, way], the way one of ``choices``).
    low, high : float
        Range of numbers, and of the members of lists.
    choices : tuple of str
    required : bool
        Whether a machine cannot be built without it.
    """

    form: Form
    low: float = 0
    high: float = 1e9
    choices: tuple[str, ...] = ()
    required: bool = False

    def expected(self) -> str:
        """Return what is expected, as a phrase for messages."""
        span = f"from {_plain(self.low)} to {_plain(self.high)}"
        match self.form:
            case "integer":
                return f"an integer {span}"
            case "number":
                return f"a number {span}"
            case "flag":
                return "true or false"
            case "text":
                return "one of " + ", ".join(map(repr, self.choices))
            case "capacity":
                return f"an integer {span}, or {UNBOUNDED_TEXT!r}"
            case "integers":
                return f"a list of integers {span}"
            case "tiles":
                return f"a list of [x, y] pairs of integers {span}"
            case "turns":
                return f"a list of [x, y, way] with one of the ways {', '.join(self.choices)}"

    def problem(self, value: object) -> str | None:
        """Return what is wrong with ``value`` as ``got …, expected …``, or None."""
        if self._fits(value):
            return None
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
        return f"got {shown} ({_type_name(value)}), expected {self.expected()}"

    def _fits(self, value: object) -> bool:
        match self.form:
            case "integer":
                return self._whole(value)
            case "number":
                return self._number(value)
            case "flag":
                return isinstance(value, bool)
            case "text":
                return isinstance(value, str) and value in self.choices
            case "capacity":
                return value == UNBOUNDED_TEXT or self._whole(value)
            case "integers":
                return isinstance(value, list) and len(value) > 0 and all(map(self._whole, value))
            case "tiles":
                return isinstance(value, list) and all(map(self._pair, value))
            case "turns":
                return isinstance(value, list) and all(map(self._turn, value))

    def _number(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and self.low <= value <= self.high

    def _whole(self, value: object) -> bool:
        return isinstance(value, int) and self._number(value)

    def _pair(self, value: object) -> bool:
        return isinstance(value, list) and len(value) == 2 and all(map(self._whole, value))

    def _turn(self, value: object) -> bool:
        return isinstance(value, list) and self._pair(value[:2]) and value[2:] in self._ways()

    def _ways(self) -> list[list[str]]:
        return [[way] for way in self.choices]


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _type_name(value: object) -> str:
    names = {bool: "flag", int: "integer", float: "number", str: "text", list: "list"}
    return names.get(type(value), type(value).__name__)


MOST_CYCLES = 1_000_000
"""Longest latency in cycles: keeps every product of times within 64 bits."""


def _integer(low: int = 0, high: float = 1e9, required: bool = False) -> Spec:
    return Spec("integer", low, high, required=required)


def _cycles(low: int = 1, required: bool = False) -> Spec:
    return Spec("integer", low, MOST_CYCLES, required=required)


def _number(low: float = 0, high: float = 1e9, required: bool = False) -> Spec:
    return Spec("number", low, high, required=required)


def _clock(required: bool = False) -> Spec:
    return Spec("number", 0.001, 1e6, required=required)


def _text(*choices: str, required: bool = False) -> Spec:
    return Spec("text", choices=choices, required=required)


def _capacity(required: bool = False) -> Spec:
    return Spec("capacity", 1, 1e6, required=required)


def _tiles(required: bool = False) -> Spec:
    return Spec("tiles", 0, 63, required=required)


_PAYLOADS = Spec("integers", 0, 65536, required=True)

FLOOR: Mapping[str, Spec] = {
    "floor.width": _integer(1, 64, required=True),
    "floor.height": _integer(1, 64, required=True),
    "floor.qpe_x": Spec("integers", 0, 63, required=True),
    "floor.qpe_y": Spec("integers", 0, 63, required=True),
    "floor.qpe_holes": _tiles(required=True),
    "floor.pes_per_qpe": _integer(1, 4, required=True),
    "floor.reserved_pes": _integer(0, 256, required=True),
    "floor.router_tiles": _tiles(required=True),
    "floor.router_ports": _tiles(required=True),
    "floor.router_transit": Spec("flag", required=True),
    "floor.mem_a_tiles": _tiles(required=True),
    "floor.mem_b_tiles": _tiles(required=True),
    "floor.host_tiles": _tiles(required=True),
    "floor.periphery_tiles": _tiles(),
    "floor.port_tiles": _tiles(),
    "floor.serial_io_tiles": _tiles(),
    "floor.attachment": _text("nearest", required=True),
}

NOC: Mapping[str, Spec] = {
    "noc.clock_mhz": _clock(required=True),
    "noc.flit_bits": _integer(1, 65536, required=True),
    "noc.max_payload_bits": _integer(1, 65536, required=True),
    "noc.hop_cycles": _cycles(required=True),
    "noc.flits_per_cycle": _number(0.001, 64, required=True),
    "noc.fifo_packets": _capacity(required=True),
    "noc.credit_cycles": _cycles(required=True),
    "packet.payload_bits": _PAYLOADS,
    "energy.noc_bit_hop_pj": _number(required=True),
}

SYNTHETIC: Mapping[str, Spec] = {
    **NOC,
    "noc.routing": _text("table", "xy", required=True),
    "floor.width": _integer(1, 65536),
    "floor.height": _integer(1, 65536),
    "floor.holes": Spec("tiles", 0, 65535),
}

_SPINNAKER2_NETWORK: Mapping[str, Spec] = {
    "noc.inject_cycles": _cycles(required=True),
    "noc.routing": _text("xy", required=True),
    "noc.hole_detour": _text("lut", required=True),
    "noc.detour_turns": Spec("turns", 0, 63, ("NE", "NW", "SE", "SW"), required=True),
    "noc.avoided_turns": Spec("turns", 0, 63, ("EN", "ES", "WN", "WS"), required=True),
    "noc.virtual_channels": _integer(1, 1),
    "noc.arbiter": _text("round_robin"),
    "noc.multicast": _text("qpe_mask4"),
    "cnoc.clock_mhz": _clock(),
    "cnoc.flit_bits": _integer(1, 65536),
    "cnoc.switching": _text("wormhole"),
    "router.clock_mhz": _clock(required=True),
    "router.mc_latency_cycles": _cycles(required=True),
    "router.mc_packets_per_cycle": _number(0.001, 64, required=True),
    "router.c2c_latency_cycles": _cycles(),
    "router.nn_latency_cycles": _cycles(),
    "router.table_entries": _integer(1),
    "router.key_bits": _integer(1, 32),
    "router.default_route": _text("opposite", "drop"),
    "router.emergency": Spec("flag"),
    "router.issue_buffer_packets": _capacity(required=True),
    "router.credit_cycles": _cycles(required=True),
    "router.blocked_policy": _text("backpressure", "drop"),
    "router.counters": _integer(),
    "packet.mc_bits": _integer(1, 65536),
    "links.frames_per_packet": Spec("integers", 1, 1000),
    "links.short.gbps": _number(0.001),
    "links.short.frame_bits": _integer(1, 65536),
    "links.short.frame_ns": _number(0.001, 1e6),
    "links.short.latency_ns": _number(0.001, 1e6),
    "links.short.credit_ns": _number(0.001, 1e6),
    "links.short.fifo_packets": _capacity(),
    "links.short.crc_resend": Spec("flag"),
    "links.short.error_rate": _number(0, 1),
    "links.long.gbps": _number(0.001),
    "links.long.coding": _text("8b10b", "none"),
    "links.long.frame_ns": _number(0.001, 1e6),
    "links.long.latency_ns": _number(0.001, 1e6),
    "links.long.credit_ns": _number(0.001, 1e6),
    "links.long.fifo_packets": _capacity(),
}

PE: Mapping[str, Spec] = {
    "pe.sram_kb": _number(0.001),
    "pe.code_kb": _number(),
    "pe.data_kb": _number(),
    "pe.app_data_kb": _number(),
    "pe.banks": _integer(1),
    "pe.irq_entry_cycles": _cycles(0),
    "pe.tick_us": _integer(1, 1e9),
    "pe.barrier_us": _number(0, 1e9),
    "pe.tx_sets": _capacity(required=True),
    "pe.rx_fifo_packets": _capacity(required=True),
    "pe.rx_full": _text("drop_count", "overwrite", "stall", required=True),
    "pe.transport": _text("noc_direct", "router_multicast"),
    "pe.mla_macs_per_cycle": _integer(1),
    "pe.exp_min_cycles": _cycles(),
    "pe.exp_max_cycles": _cycles(),
    "pe.rng_cycles": _cycles(),
    "pe.levels.low_mhz": _clock(),
    "pe.levels.low_v": _number(0.001, 100),
    "pe.levels.high_mhz": _clock(),
    "pe.levels.high_v": _number(0.001, 100),
    "pe.levels.switch_ns": _number(),
    "pe.levels.start": _text("low", "high"),
    # A send leaves at least a cycle after its handler began, whatever else costs nothing.
    "pe.cycles.send_per_qpe": _cycles(1),
    "pe.cycles.*": _cycles(0),
}

_SPINNAKER2_REST: Mapping[str, Spec] = {
    "dma.engines": _integer(1),
    "dma.setup_cycles": _cycles(1),
    "dma.bytes_per_flit": _integer(16, 16),
    "dma.max_outstanding": _integer(1),
    "dma.sram_access_cycles": _cycles(1),
    "dma.align_bytes": _integer(1, 65536),
    "dram.capacity_gb": _number(),
    "dram.interfaces": _integer(2, 2),
    "dram.interface_gbps": _number(0.001),
    "dram.efficiency": _number(0.001, 1),
    "dram.latency_ns": _number(0.001),
    "dram.burst_bytes": _integer(1, 65536),
    "host.link_gbps": _number(0.001),
    "host.latency_us": _number(0.000001),
    "power.uncore_mw": _number(),
    "power.pe_sleep_low_mw": _number(),
    "power.pe_sleep_high_mw": _number(),
    "power.pe_off_mw": _number(),
    "energy.pe_cycle_low_pj": _number(),
    "energy.pe_cycle_high_pj": _number(),
    "energy.mac_low_pj": _number(),
    "energy.mac_high_pj": _number(),
    "energy.router_lookup_pj": _number(required=True),
    "energy.link_bit_pj": _number(),
    "energy.dram_byte_pj": _number(),
    "board.chips": _integer(1),
    "board.shape": _text("spin5_hexagon"),
    "board.ethernet_chips": _integer(1),
}

SPINNAKER1: Mapping[str, Spec] = {
    "floor.cores": _integer(1, 18, required=True),
    "floor.reserved_pes": _integer(0, 18, required=True),
    "noc.clock_mhz": _clock(required=True),
    "noc.flit_bits": _integer(1, 65536, required=True),
    "noc.flits_per_cycle": _number(0.001, 64, required=True),
    "noc.hop_cycles": _cycles(required=True),
    "noc.credit_cycles": _cycles(required=True),
    "router.clock_mhz": _clock(required=True),
    "router.mc_latency_cycles": _cycles(required=True),
    "router.mc_packets_per_cycle": _number(0.001, 64, required=True),
    "router.input_packets": _capacity(required=True),
    "router.output_packets": _capacity(required=True),
    "router.credit_cycles": _cycles(required=True),
    "router.table_entries": _integer(1),
    "router.usable_entries": _integer(1),
    "router.key_bits": _integer(1, 32),
    "router.default_route": _text("opposite", "drop"),
    "router.blocked_policy": _text("backpressure", "drop", required=True),
    "router.wait1_cycles": _cycles(0, required=True),
    "router.wait2_cycles": _cycles(0, required=True),
    "router.emergency": Spec("flag", required=True),
    "router.reinjection": Spec("flag", required=True),
    "router.reinject_read_ns": _number(0.001, 1e9),
    "router.reinject_interval_ns": _number(0.001, 1e9),
    "router.reinject_queue_packets": _integer(1, 1e6),
    "router.counters": _integer(),
    "packet.mc_bits": _integer(1, 65536, required=True),
    "packet.payload_bits": _PAYLOADS,
    "links.bits_per_symbol": _integer(1, 64, required=True),
    "links.symbols_per_packet": Spec("integers", 1, 1000, required=True),
    "links.short.symbol_ns": _number(0.001, 1e6, required=True),
    "links.short.latency_ns": _number(0.001, 1e6, required=True),
    "links.short.credit_ns": _number(0.001, 1e6, required=True),
    "links.long.symbol_ns": _number(0.001, 1e6, required=True),
    "links.long.latency_ns": _number(0.001, 1e6, required=True),
    "links.long.credit_ns": _number(0.001, 1e6, required=True),
    **{name: spec for name, spec in PE.items() if name != "pe.levels.start"},
    "pe.levels.start": _text("high"),
    "dma.setup_cycles": _cycles(1),
    "dma.bytes_per_flit": _integer(16, 16),
    "dma.max_outstanding": _integer(1),
    "dma.word_ns": _number(0.001),
    "dram.capacity_gb": _number(),
    "dram.interfaces": _integer(1, 1),
    "dram.interface_gbps": _number(0.001),
    "dram.latency_ns": _number(0.001),
    "dram.write_mib_per_s": _number(0.001),
    "host.link_gbps": _number(0.001),
    "host.ethernet_chip_gbps": _number(0.001),
    "host.other_chips_gbps": _number(0.001),
    "host.latency_us": _number(0.000001),
    "power.uncore_mw": _number(),
    "power.pe_sleep_high_mw": _number(),
    "power.board_idle_w": _number(),
    "power.frame_idle_w": _number(),
    "power.frame_active_w": _number(),
    "energy.pe_cycle_high_pj": _number(),
    "energy.router_bit_pj": _number(required=True),
    "board.chips": _integer(1),
    "board.shape": _text("spin5_hexagon"),
    "board.ethernet_chips": _integer(1),
}

FAMILIES: Mapping[str, Mapping[str, Spec]] = {
    "spinnaker1": SPINNAKER1,
    "spinnaker2": {**FLOOR, **NOC, **_SPINNAKER2_NETWORK, **PE, **_SPINNAKER2_REST},
    "mesh": SYNTHETIC,
    "torus": SYNTHETIC,
    "hex-torus": SYNTHETIC,
}
"""Figures by name for each family of machines; ``x.*`` is an open table."""


def spec_of(schema: Mapping[str, Spec], name: str) -> Spec | None:
    """Return the spec of figure ``name``, looking into open tables too."""
    return schema.get(name) or schema.get(f"{name.rpartition('.')[0]}.*")


def wrong_unit(schema: Iterable[str], name: str) -> str | None:
    """Return the known figure that is ``name`` in another unit, if there is one."""
    stem = stem_of(name)
    return next((known for known in schema if known != name and stem_of(known) == stem), None)
