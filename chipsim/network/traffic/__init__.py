"""Synthetic and recorded traffic: patterns, the driver, the latency-load curve.

Examples
--------
>>> from chipsim.network.traffic import Request, prepare
>>> run = prepare(Request("mesh-4x4", "uniform", rate="0.1", cycles="500", network="simpy"))
>>> result = run.run()
>>> result.packets_injected == result.packets_delivered
True
"""

from chipsim.network.traffic.destinations import Destinations, Fixed
from chipsim.network.traffic.drive import Span, compile_network, run_traffic
from chipsim.network.traffic.parcel import Parcel
from chipsim.network.traffic.replay import Replay
from chipsim.network.traffic.result import TrafficResult
from chipsim.network.traffic.setup import Prepared, Request, TrafficError, prepare
from chipsim.network.traffic.workload import PATTERNS, Synthetic, Workload, synthetic

__all__ = [
    "PATTERNS",
    "Destinations",
    "Fixed",
    "Parcel",
    "Prepared",
    "Replay",
    "Request",
    "Span",
    "Synthetic",
    "TrafficError",
    "TrafficResult",
    "Workload",
    "compile_network",
    "prepare",
    "run_traffic",
    "synthetic",
]
