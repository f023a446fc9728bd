"""Bit masks of 64 in an ``int64``: sets of branches and of input ports."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chipsim.compiled import inlined


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def lowest(typing_context: Any, mask: Any) -> Any:
    """Return the number of the lowest bit set in ``mask`` (which must not be 0)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def from_bit(typing_context: Any, mask: Any, bit: Any) -> Any:
    """Return ``mask`` without the bits below ``bit`` (0 to 63)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, shift = arguments
        kept = builder.shl(ir.Constant(value.type, -1), shift)
        return builder.and_(value, kept)

    return types.int64(types.int64, types.int64), codegen


@inlined
def all_of(count: int) -> int:
    """Return the mask with the lowest ``count`` (1 to 64) bits set."""
    if count >= 64:
        return -1
    return (1 << count) - 1
