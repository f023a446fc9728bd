"""What packets may meet beyond the plain rules: links that err, detours, monitors, dumps.

All of it is optional: a machine without a :class:`Behaviour`, or a field that is None, costs the
networks nothing. What the fields mean to packets stands in ``docs/network-rules.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import MachineError

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MOST_ERRORS = 0.9
"""Largest chance that a frame is hit; beyond it a link is dead rather than bad."""


@dataclass(frozen=True, eq=False)
class Reinjection:
    """Monitor cores that read what their routers drop and send it again.

    Attributes
    ----------
    port : ndarray of int32, shape (nodes,)
        The port of the router through which the monitor core sends: a LINK port without a channel,
        unbounded; -1 at nodes without a monitor.
    read_ps : int
        From a drop until the monitor's software has read the router's register [ps].
    interval_ps : int
        Least time between two packets that a monitor sends again [ps].
    queue_packets : int
        Packets that a monitor can hold.
    """

    port: I32
    read_ps: int
    interval_ps: int
    queue_packets: int


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What some machines have beside nodes, ports and channels.

    Attributes
    ----------
    channel_error : ndarray of float64, shape (channels,) or None
        Chance that a frame on the channel is hit and must be sent again.
    channel_detour : ndarray of int32, shape (channels, steps) or None
        The channels of the way round a blocked channel, to the same far node; filled with -1, and
        all -1 where there is none.
    node_wait2_ps : ndarray of int64, shape (nodes,) or None
        How long a packet that waited ``node_wait_ps`` in vain may ask for its detour [ps]; 0 where
        it is dropped at once (no emergency routing).
    node_issue_ps : ndarray of int64, shape (nodes,) or None
        After how long a packet that was granted an output has left its FIFO [ps], because outputs
        have registers of their own; 0 where it stays until it has been sent.
    reinjection : Reinjection or None
    dump_ports : ndarray of int32 or None
        Sink ports that belong to no endpoint: what arrives there is dropped. Packets end there
        that a routing table sends nowhere.
    """

    channel_error: F64 | None = None
    channel_detour: I32 | None = None
    node_wait2_ps: I64 | None = None
    reinjection: Reinjection | None = None
    dump_ports: I32 | None = None
    node_issue_ps: I64 | None = None

    def check(self, name: str, nodes: int, channels: int) -> None:
        """Raise MachineError for arrays of another shape, and figures out of range.

        Raises
        ------
        MachineError
        """
        rows = {
            "channel_error": channels,
            "channel_detour": channels,
            "node_wait2_ps": nodes,
            "node_issue_ps": nodes,
        }
        for field in fields(self):
            array = getattr(self, field.name)
            expected = rows.get(field.name)
            if expected is not None and array is not None and len(array) != expected:
                raise MachineError(
                    f"{name}: {field.name} has {len(array)} rows; expected {expected}, one per "
                    f"{field.name.split('_', 1)[0]}"
                )
        errors = self.channel_error
        if errors is not None and not ((errors >= 0) & (errors <= MOST_ERRORS)).all():
            worst = float(errors[np.argmax(np.abs(errors - MOST_ERRORS / 2))])
            raise MachineError(
                f"{name}: error rate {worst}; expected 0 to {MOST_ERRORS} (chance per frame); "
                "take a worse link out as a dead one"
            )
        monitors = self.reinjection
        if monitors is not None and (
            min(monitors.read_ps, monitors.interval_ps) < 1 or monitors.queue_packets < 1
        ):
            raise MachineError(
                f"{name}: reinjection reads in {monitors.read_ps} ps, sends every "
                f"{monitors.interval_ps} ps from a queue of {monitors.queue_packets}; expected at "
                "least 1 each; switch reinjection off instead"
            )
