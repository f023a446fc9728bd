"""How a slot comes back to the sender."""

from __future__ import annotations

from chipsim.network.instant import ARRIVAL
from chipsim.network.reference.clock import Clock
from chipsim.network.reference.parts import Packet, Port, Sink


def return_credit(far: Port | Sink, packet: Packet, clock: Clock) -> None:
    """Give ``packet``'s slot of ``far`` back to the sender, one credit latency from now."""
    if far.feeder is None:
        return

    def release() -> None:
        far.slots.release(packet)
        for feeder in far.slots.feeders:
            feeder.node.ring()

    clock.at(clock.now + far.feeder.credit_ps, ARRIVAL, release)
