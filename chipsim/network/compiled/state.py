"""The arrays of one network, and how kernels see them.

Kernels get one array, the *directory*, with the address of every other array, and open it as a
:class:`State` of bare pointers. Measured reasons: Numba needs 0.13 µs per array to open a call
from Python (twenty arrays: 2.5 µs; the directory: 0.2 µs), and it counts references of arrays that
are handed from function to function, which made a loop of small functions fifty times slower than
the same loop in one piece. Pointers have neither cost, so that kernels can be small functions of
one idea. The price: no bounds and no negative indices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from chipsim.compiled import inlined

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U32 = NDArray[np.uint32]


class State(NamedTuple):
    """Every array of one network; strides and fields of the records stand in ``layout``."""

    scalars: I64
    ports: I64
    channels: I64
    sources: I64
    inboxes: I64
    packets: I64
    copies: I64
    events: I64
    slots: I64
    near: I64
    far: I64
    chase: I64
    credits: I64
    lists: I64
    dropped: I64
    given_up: I64
    latencies: I64
    hop_log: I64
    inputs: I64
    stages: I64
    routes: I64
    tallies: I64
    lines: I64
    patience: I64
    monitors: I64


def _pointers(kind: types.Type) -> Callable[[int], Any]:
    """Return a function for kernels that takes an address for a pointer to numbers of a type."""

    def typed(typing_context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], kind)

        return types.CPointer(kind)(types.int64), codegen  # type: ignore[no-untyped-call]

    return cast("Callable[[int], Any]", intrinsic(typed))


words = _pointers(types.int64)
"""``words(address)`` is a pointer to the ``int64`` array at ``address``; the others likewise."""
ints = _pointers(types.int32)
bare = _pointers(types.uint32)
octets = _pointers(types.int8)
flags = _pointers(types.boolean)


@inlined
def opened(directory: I64) -> State:
    """Return the state that a directory leads to (inside kernels)."""
    return State(
        words(directory[0]),
        words(directory[1]),
        words(directory[2]),
        words(directory[3]),
        words(directory[4]),
        words(directory[5]),
        words(directory[6]),
        words(directory[7]),
        words(directory[8]),
        words(directory[9]),
        words(directory[10]),
        words(directory[11]),
        words(directory[12]),
        words(directory[13]),
        words(directory[14]),
        words(directory[15]),
        words(directory[16]),
        words(directory[17]),
        words(directory[18]),
        words(directory[19]),
        words(directory[20]),
        words(directory[21]),
        words(directory[22]),
        words(directory[23]),
        words(directory[24]),
    )


def directory_of(state: State) -> I64:
    """Return the addresses of the arrays, in the order of :class:`State`."""
    return np.array([array.ctypes.data for array in state], dtype=np.int64)
