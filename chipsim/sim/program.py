"""Programs: coroutines that run on a PE, and what they may yield.

A program is a generator method ``run(self, pe)``. Everything that takes simulated time is an
**effect** that it yields::

    class Relay(Program):
        def run(self, pe):
            while True:
                yield pe.next_tick()
                packets = pe.take_packets()
                yield pe.compute(synapse=len(packets))
                pe.send("out", packets.key, packets.payload)

``yield pe.step(kernel, ticks=n)`` is an effect that is batched across cores: all cores that are
due for the same kernel at one instant are evaluated in one stacked call (rows = cores).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.network.api import Deliveries

if TYPE_CHECKING:
    from chipsim.sim.pe import ProcessingElement
    from chipsim.sim.sends import SendPlan

Waiting = Generator[Any, Any, Any]
"""A generator of SimPy events."""


class Effect:
    """Base of what a program yields.

    Subclasses say how they are performed and, for the message of a stalled run, what they wait
    for.
    """

    def perform(self, pe: ProcessingElement) -> Waiting:
        """Yield SimPy events until the effect is done and return its result."""
        raise NotImplementedError

    def waits_for(self, pe: ProcessingElement) -> str:
        """Say in a few words what a PE in this effect waits for."""
        return type(self).__name__

    def stalled(self, pe: ProcessingElement) -> Exception | None:
        """Return the error that a run stalled in this effect should end with, if it knows one."""
        return None


class Program:
    """Base of programs. One instance runs on one PE.

    Override :meth:`run`. ``sram`` says what the program needs of its PE's SRAM, by region, in
    bytes; it is budgeted when mapping and reserved before the run.
    """

    def run(self, pe: ProcessingElement) -> Generator[Effect, Any, None]:
        """Yield effects until the program ends."""
        raise NotImplementedError

    def sram(self) -> dict[str, int]:
        """Return bytes by SRAM region."""
        return {}

    def counters(self) -> dict[str, int]:
        """Return what the program itself has counted, for the core's rows of the provenance."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of this program (arrays and plain values)."""
        return {}


@dataclass
class StepCall:
    """One stacked evaluation of a kernel: its inbox, and where it puts its results.

    Attributes
    ----------
    rows : ndarray of int32, shape (k,)
        The kernel's rows (cores) in this call, ascending.
    tick : int
        The tick handled, the same for all rows.
    step : ndarray of int64, shape (k,)
        Per row, the number of the tick within the effect that it yielded (0, 1, …).
    inbox : Deliveries
        Packets drained by the rows, sorted by (row, key, time); ``inbox.row`` is the position in
        ``rows``.
    start_ps : int
        When the handlers start.
    counts : ndarray of int64, shape (k, operations)
        To be filled: how often each of the kernel's ``operations`` was done.
    """

    rows: NDArray[np.int32]
    tick: int
    step: NDArray[np.int64]
    inbox: Deliveries
    start_ps: int
    counts: NDArray[np.int64]
    sent: list[Outgoing] = field(default_factory=list)

    def send(
        self,
        plan: SendPlan,
        position: NDArray[np.int32],
        offset: NDArray[np.int64],
        payload: NDArray[np.uint32] | None = None,
        tag: NDArray[np.int32] | None = None,
    ) -> None:
        """Send packets: row ``rows[position[i]]`` sends key offset ``offset[i]`` on its net.

        Parameters
        ----------
        plan : SendPlan
            The nets by kernel row (indexed by row, not by position).
        position : ndarray of int32, shape (n,)
            Positions in ``rows``, ascending.
        offset : ndarray of int64, shape (n,)
            Key offsets within the nets' blocks.
        payload : ndarray of uint32, shape (n, words), optional
        tag : ndarray of int32, shape (n,), optional
            A number that the packet carries along (the sample).
        """
        if len(position):
            self.sent.append(Outgoing(plan, position, offset, payload, tag))


@dataclass
class Outgoing:
    """One :meth:`StepCall.send`."""

    plan: SendPlan
    position: NDArray[np.int32]
    offset: NDArray[np.int64]
    payload: NDArray[np.uint32] | None
    tag: NDArray[np.int32] | None


class Kernel:
    """What ``pe.step`` evaluates: one object for all cores that run the same code.

    Attributes
    ----------
    operations : tuple of str
        Names of the operations it counts; each must be in the cost table.
    """

    operations: ClassVar[tuple[str, ...]] = ()

    def step(self, call: StepCall) -> None:
        """Evaluate ``call.rows`` at one tick. The bits must not depend on the number of rows."""
        raise NotImplementedError

    def room(self) -> int:
        """Return the most packets that all rows together send in one step, for :meth:`whole`."""
        return 0

    def whole(self, form: NDArray[np.int64], local: int, tick: int, now: int) -> bool:
        """Do step ``local`` of the rows in one compiled call, or return False and do nothing.

        A shortcut to the same result as :meth:`step`, which is always there; see
        :mod:`chipsim.sim.whole` for how such a call is made. It is asked for where nothing looks
        at single packets and handlers: on the compiled network, without probes that see packets,
        and where no trace is written.
        """
        return False


_FORM = """expected an effect of the PE, for example
    yield pe.next_tick()
    yield pe.compute(synapse=3)
    packets = yield pe.receive(count=1)"""


def start_program(program: Program, pe: ProcessingElement) -> Generator[Effect, Any, None]:
    """Return the program's coroutine.

    Raises
    ------
    ProgramError
        If ``run`` is no generator method: most likely it has no ``yield``.
    """
    coroutine: object = program.run(pe)
    if isinstance(coroutine, Generator):
        return coroutine
    raise ProgramError(
        f"program {type(program).__name__} on {pe.label}: run(pe) returned {coroutine!r} "
        f"({type(coroutine).__name__}), expected a generator: a method that contains a yield, "
        "for example\n    def run(self, pe):\n        yield pe.next_tick()"
    )


def check_effect(program: Program, yielded: object, label: str) -> Effect:
    """Return ``yielded`` if it is an effect, else refuse it and show the right form.

    Raises
    ------
    ProgramError
        If it is anything else.
    """
    if isinstance(yielded, Effect):
        return yielded
    raise ProgramError(
        f"program {type(program).__name__} on {label} yielded {yielded!r} "
        f"({type(yielded).__name__}); {_FORM}"
    )
