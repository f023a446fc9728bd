"""The SRAM budget: what a PE offers to an application and what a vertex wants of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Application, Name, Vertex

CODE_REGION = "code"
"""The region that counts against the code memory; all others count against the data memory."""

BYTES_PER_KB = 1024
"""Memory sizes are powers of two: the 128 kB of a PE are 0x20000 bytes (NESTML-S2 linker map)."""


class Memory(NamedTuple):
    """Bytes of code and of data memory; a limit of None is not known to the description."""

    code: int | None
    data: int | None


class Usage(NamedTuple):
    """Bytes of code and of data memory that a vertex wants."""

    code: int
    data: int


def memory(machine: Machine) -> Memory:
    """Return how many bytes an application may use on each PE.

    The data memory is the least of what the description gives: ``pe.app_data_kb`` (what a chip's
    software leaves to applications), ``pe.data_kb``, and ``pe.sram_kb`` less ``pe.code_kb``.
    Synthetic machines give none of them: there memory has no limit.
    """
    figures = machine.description

    def known(name: str) -> float | None:
        return figures.number(name) if name in figures else None

    code, total = known("pe.code_kb"), known("pe.sram_kb")
    left = None if total is None else total - (code or 0.0)
    offers = [kb for kb in (known("pe.app_data_kb"), known("pe.data_kb"), left) if kb is not None]
    return Memory(
        None if code is None else int(code * BYTES_PER_KB),
        int(min(offers) * BYTES_PER_KB) if offers else None,
    )


def usage(vertex: Vertex) -> Usage:
    """Return how many bytes of code and data memory ``vertex`` wants."""
    code = vertex.sram_bytes.get(CODE_REGION, 0)
    return Usage(code, sum(vertex.sram_bytes.values()) - code)


def sram_problems(
    application: Application, machine: Machine, placement: Mapping[Name, int]
) -> Iterator[str]:
    """Yield one sentence per vertex and memory that is too small: wants, has, what would help."""
    limits = memory(machine)
    for vertex in application.vertices:
        endpoint = int(placement[vertex.name])
        if machine.endpoint_kind[endpoint] != EndpointKind.PE:
            continue
        for part, wants, has in zip(("code", "data"), usage(vertex), limits, strict=True):
            if has is None or wants <= has:
                continue
            where = machine.endpoint_label(endpoint)
            yield (
                f"vertex {vertex.name!r} wants {wants} bytes of {part} memory, {where} has {has}: "
                f"{wants - has} too many ({_regions(vertex, part)}); {_help(vertex, part, has)}"
            )


def _regions(vertex: Vertex, part: str) -> str:
    sizes = sorted(
        (
            (region, size)
            for region, size in vertex.sram_bytes.items()
            if (region == CODE_REGION) == (part == "code") and size
        ),
        key=lambda item: (-item[1], item[0]),
    )
    return ", ".join(f"{region} {size}" for region, size in sizes)


def _help(vertex: Vertex, part: str, has: int) -> str:
    if part == "code":
        return "use a smaller program"
    if vertex.splittable and has:
        parts = -(-usage(vertex).data // has)
        return f"it can be split: at least {parts} parts are needed"
    return "use fewer neurons or samples per PE, or smaller buffers"
