"""Bit masks of 64 in an ``int64``: sets of branches and of input ports.

Kernels freeze these instructions in; hence the mark that puts this file into the cache's hash:
``from chipsim.compiled import compiled``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.extending import intrinsic


def _lowest(typing_context: Any, mask: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _from_bit(typing_context: Any, mask: Any, bit: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, shift = arguments
        kept = builder.shl(ir.Constant(value.type, -1), shift)
        return builder.and_(value, kept)

    return types.int64(types.int64, types.int64), codegen


lowest = cast("Callable[[int], int]", intrinsic(_lowest))
"""``lowest(mask)`` is the number of the lowest bit set in ``mask``, which must not be 0."""

from_bit = cast("Callable[[int, int], int]", intrinsic(_from_bit))
"""``from_bit(mask, bit)`` is ``mask`` without the bits below ``bit`` (0 to 63)."""
