"""The figures that each family of machines may and must give."""

from __future__ import annotations

from collections.abc import Mapping

from chipsim.machine.layout import DIRECTIONS
from chipsim.machine.schema import Spec

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


def _faults(*kinds: str) -> dict[str, Spec]:
    """Return the figures of what can be dead, named and drawn."""
    named = {kind: Spec("places", 0, 1e6, DIRECTIONS if kind == "links" else ()) for kind in kinds}
    return {
        **{f"faults.{kind}": spec for kind, spec in named.items()},
        **{f"faults.random_{kind}": _integer(0, 1e7) for kind in kinds},
        "faults.stuck_pes": Spec("places", 0, 1e6),
        "faults.random_stuck_pes": _integer(0, 1e7),
        "faults.stuck_at_tick": _integer(0),
        "faults.seed": _integer(0, 2**63 - 1),
    }


SYNTHETIC: Mapping[str, Spec] = {
    **NOC,
    **_faults("pes", "links"),
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
    "noc.virtual_channels": _integer(1, 1, required=True),
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
    "router.wait1_cycles": _cycles(0),
    "router.wait2_cycles": _cycles(0),
    "router.issue_buffer_packets": _capacity(required=True),
    "router.credit_cycles": _cycles(required=True),
    "router.blocked_policy": _text("backpressure", "drop", required=True),
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
    "pe.dvfs": _text("start", "low", "high", "auto"),
    "pe.dvfs_threshold_packets": _integer(0, 1e9),
    "pe.tick_us": _integer(1, 1e9),
    "pe.timer_phase": _text("zero", "random", "tdma"),
    "pe.timer_spread": _number(0, 1),
    "pe.timer_drift_ppm": _number(0, 1e5),
    "pe.timer_seed": _integer(0, 2**53),
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
    "dma.align_bytes": _integer(4, 65536),
    "dma.unaligned": _text("widen", "error"),
    "dram.capacity_gb": _number(),
    "dram.interfaces": _integer(2, 2),
    "dram.interface_gbps": _number(0.001),
    "dram.efficiency": _number(0.001, 1),
    "dram.latency_ns": _number(0.001),
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
    **_faults("pes", "links", "chips"),
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
    "dma.bytes_per_flit": _integer(16, 16, required=True),
    "dma.max_outstanding": _integer(1),
    "dma.queue_entries": _integer(1),
    "dma.word_ns": _number(0.001, 1e6, required=True),
    "dma.noc_packets": _capacity(required=True),
    "dram.capacity_gb": _number(),
    "dram.interfaces": _integer(1, 1),
    "dram.interface_gbps": _number(0.001, 1e6, required=True),
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
    "spinnaker2": {
        **_faults("pes", "qpes", "links", "chips"),
        **FLOOR,
        **NOC,
        **_SPINNAKER2_NETWORK,
        **PE,
        **_SPINNAKER2_REST,
    },
    "mesh": SYNTHETIC,
    "torus": SYNTHETIC,
    "hex-torus": SYNTHETIC,
}
"""Figures by name for each family of machines; ``x.*`` is an open table."""
