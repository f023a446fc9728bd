"""Just enough of Protocol Buffers to write a Perfetto trace: varints and length-prefixed fields.

Field numbers are those of Perfetto's ``protos/perfetto/trace`` (trace_packet.proto,
track_event/track_event.proto, track_descriptor.proto, debug_annotation.proto, interned_data.proto);
the wire format is https://protobuf.dev/programming-guides/encoding. Writing it needs no library,
and a million events take seconds.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

SEQUENCE = 1
"""The one packet sequence of our files."""

_CLEARED, _NEEDS_STATE = 1, 2
BEGIN, END, COUNTER = 1, 2, 4
"""Types of a TrackEvent."""

Value = str | int | float | bool


def varint(number: int) -> bytes:
    """Return a non-negative integer in base 128, the lowest digits first."""
    out = bytearray()
    while number > 127:
        out.append((number & 127) | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """Return a varint field; negative ones take ten bytes, as int64 does."""
    return varint(field << 3) + varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def chunk(field: int, data: bytes) -> bytes:
    """Return a field of bytes: text or an inner message."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def fixed64(field: int, value: int) -> bytes:
    """Return a field of eight bytes, little-endian."""
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def double(field: int, value: float) -> bytes:
    """Return a field of a double."""
    return varint(field << 3 | 1) + struct.pack("<d", value)


class TraceFile:
    """Writes packets of a Perfetto trace to a file. Times are nanoseconds.

    Attributes
    ----------
    events : int
        Track events written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._known: dict[tuple[int, str], int] = {}
        self._new = b""
        self.events = 0
        self._packet(number(13, _CLEARED | _NEEDS_STATE))

    def track(self, uuid: int, name: str, parent: int = 0, rank: int = 0, unit: str = "") -> None:
        """Declare a track; one with a unit is a counter. Tracks of equal rank are merged by name.

        Parameters
        ----------
        uuid : int
            Above 0.
        name : str
        parent : int
            Another track's uuid; 0 for the top.
        rank : int
            Place among its siblings.
        unit : str
        """
        data = number(1, uuid) + chunk(2, name.encode())
        if parent:
            data += number(5, parent)
        if unit:
            data += chunk(8, chunk(6, unit.encode()))
        data += number(11, 3) + number(12, rank)  # children in the order of their ranks
        self._packet(chunk(60, data))

    def begin(
        self,
        track: int,
        time_ns: int,
        name: str,
        category: str,
        told: dict[str, Value],
        flows: list[int],
        ending: list[int],
    ) -> None:
        """Begin a slice; ``flows`` pass through or begin at it, ``ending`` end there."""
        data = number(9, BEGIN) + number(11, track)
        data += number(3, self._intern(1, category)) + number(10, self._intern(2, name))
        for key, value in told.items():
            data += chunk(4, number(1, self._intern(3, key)) + _annotation(value))
        data += b"".join(fixed64(47, flow) for flow in flows)
        data += b"".join(fixed64(48, flow) for flow in ending)
        self._event(time_ns, data)

    def end(self, track: int, time_ns: int) -> None:
        """End the slice that was begun last on a track."""
        self._event(time_ns, number(9, END) + number(11, track))

    def count(self, track: int, time_ns: int, value: float) -> None:
        """Set a counter."""
        self._event(time_ns, number(9, COUNTER) + number(11, track) + double(44, value))

    def _event(self, time_ns: int, data: bytes) -> None:
        self.events += 1
        state = number(13, _NEEDS_STATE)
        if self._new:
            state += chunk(12, self._new)
            self._new = b""
        self._packet(number(8, time_ns) + state + chunk(11, data))

    def _packet(self, data: bytes) -> None:
        self._file.write(chunk(1, data + number(10, SEQUENCE)))

    def _intern(self, table: int, text: str) -> int:
        """Return the number of a text that stands in the file once."""
        found = self._known.get((table, text))
        if found is None:
            found = self._known[table, text] = len(self._known) + 1
            self._new += chunk(table, number(1, found) + chunk(2, text.encode()))
        return found


def _annotation(value: Value) -> bytes:
    if isinstance(value, bool):
        return number(2, int(value))
    if isinstance(value, int):
        return number(4, value)
    if isinstance(value, float):
        return double(5, value)
    return chunk(6, value.encode())
