"""A processing element: the process that drives one program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import ProgramError, SramError, did_you_mean
from chipsim.network.api import Deliveries
from chipsim.network.instant import PROGRAM, alarm
from chipsim.sim.blocks import WordBlock
from chipsim.sim.effects import (
    BarrierWait,
    Compute,
    Hang,
    NextTick,
    Receive,
    ReceiveBlock,
    StallError,
    Step,
    TransferWait,
)
from chipsim.sim.handlers import choose_levels
from chipsim.sim.interrupts import Interrupt
from chipsim.sim.memory import Transfer
from chipsim.sim.program import (
    Effect,
    Kernel,
    Program,
    Waiting,
    check_effect,
    start_program,
)
from chipsim.sim.sends import NetHandle, SendPlan, draft, payload_rows
from chipsim.sim.sram import Sram
from chipsim.units import cycles

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation


class ProcessingElement:
    """One core and the program on it; programs get it as ``pe``.

    Attributes
    ----------
    vertex : str
        The application's vertex that runs here.
    core : int
        Number among the simulation's cores.
    endpoint, inbox : int
        Machine endpoint and its event inbox.
    sram : Sram
    recordings : dict of str to list of (int, ndarray)
        What :meth:`record` has taken: tick and values.
    operations : dict of str to int
        Operations charged by :meth:`compute`, :meth:`work` and :meth:`record` (kernels count their
        own).
    """

    def __init__(
        self, simulation: Simulation, vertex: str, core: int, endpoint: int, program: Program
    ) -> None:
        self.simulation = simulation
        self.vertex = vertex
        self.core = core
        self.endpoint = endpoint
        self.inbox = 2 * endpoint
        self.program = program
        self.label = f"{simulation.machine.endpoint_label(endpoint)} ({vertex})"
        self.sram = Sram(self.label, simulation.sram_limit)
        self.recordings: dict[str, list[tuple[int, NDArray[Any]]]] = {}
        self._recorded_bytes = 0
        self.operations: dict[str, int] = {}
        self.nets: dict[str, NetHandle] = {}
        self.effect: Effect | None = None
        self.finished = False
        self.stuck_from: int | None = None
        self._packets: simpy.Event | None = None
        self._index = np.array([core], dtype=np.int32)
        self._inboxes = np.array([self.inbox], dtype=np.int32)
        self._plans: dict[str, SendPlan] = {}

    # ------------------------------------------------------------------ effects, to be yielded
    def next_tick(self) -> NextTick:
        """Wait for the next tick."""
        return NextTick()

    def compute(self, **operations: int) -> Compute:
        """Spend the cycles of some operation counts, by the cost table."""
        return Compute(self.simulation.costs.cycles(operations), operations)

    def step(self, kernel: Kernel, ticks: int = 1) -> Step:
        """Run a kernel at each of the next ``ticks`` ticks, batched across cores."""
        return Step(kernel, ticks)

    def receive(self, count: int = 1, on_stall: StallError | None = None) -> Receive:
        """Wait for ``count`` packets and drain the receive FIFO."""
        return Receive(count, on_stall)

    def receive_block(
        self, block: WordBlock, count: int, on_stall: StallError | None = None
    ) -> ReceiveBlock:
        """Wait for ``count`` packets, drain the receive FIFO and store the words of a block.

        The result is that of :meth:`take_block`.
        """
        return ReceiveBlock(count, on_stall, block)

    def interrupt(self, *transfers: Transfer, tick: bool = True) -> Interrupt:
        """Wait for packets, for the end of one of some transfers, or for the next tick.

        The result says which of them it was; see :mod:`chipsim.sim.interrupts`.
        """
        return Interrupt(transfers, tick)

    def work(self, **operations: int) -> None:
        """Add the cycles of some operation counts to the open handler, and go on.

        What the handler sends from now on leaves after that work, and effects wait for its end;
        ``yield pe.compute(...)`` also lets the program wait for it.
        """
        self.charge(self.simulation.costs.cycles(operations), operations)

    def barrier(self, name: str) -> BarrierWait:
        """Wait for all members of a barrier."""
        return BarrierWait(name)

    def wait(self, transfer: Transfer, on_stall: StallError | None = None) -> TransferWait:
        """Wait for a transfer that :meth:`dma_read` or :meth:`dma_write` started."""
        return TransferWait(transfer, on_stall)

    # ------------------------------------------------------------------ actions, done at once
    def take_packets(self) -> Deliveries:
        """Drain the receive FIFO; columns sorted by key: ``key``, ``payload``, ``time_ps`` …."""
        simulation = self.simulation
        ticked = bool(simulation.cores.ticked[self.core])
        tick = self.tick if ticked else self._tick_now()
        packets = simulation.drain(self._inboxes, tick, ticked)
        self._note_drained(len(packets))
        return packets

    def take_block(self, block: WordBlock) -> tuple[int, int]:
        """Drain the receive FIFO and store the words that belong to a block.

        Returns
        -------
        tuple of int
            Packets drained, and how many of them were none of the block's.
        """
        simulation, core = self.simulation, self.core
        ticked = bool(simulation.cores.ticked[core])
        tick = self.tick if ticked else self._tick_now()
        count, others = simulation.drain_block(self._inboxes, block, tick, ticked)
        self._note_drained(count)
        return count, others

    def _note_drained(self, count: int) -> None:
        cores = self.simulation.cores
        cores.packets_in[self.core] += count
        cores.taken[self.core] += count
        cores.note_fill(self.core, count)
        if count > cores.fifo_peak[self.core]:  # between two takes the FIFO only grows
            cores.fifo_peak[self.core] = count

    def send(
        self,
        net: str,
        keys: Iterable[int] | NDArray[np.integer],
        payload: object = None,
        tag: int = -1,
    ) -> None:
        """Send one packet per key, after what the handler has computed and sent so far.

        Parameters
        ----------
        net : str
            One of this vertex's nets.
        keys : array of int
            Offsets in the net's key block, or full keys to relay.
        payload : array, optional
            One row per key; float32 and float64 travel as their bits.
        tag : int
            Carried along (the sample, for EventProp).
        """
        handle = self._net(net)
        offsets = handle.offsets_of(np.atleast_1d(np.asarray(keys, dtype=np.int64)))
        if not len(offsets):
            return
        count = len(offsets)
        drafted = draft(
            self._plans[net],
            np.zeros(1, np.int32),
            np.zeros(count, np.int32),
            offsets,
            payload_rows(payload, count, handle.payload_words, net),
            np.full(count, tag, dtype=np.int32),
        )
        self.simulation.send_from(self.core, drafted)

    def record(self, name: str, values: object) -> None:
        """Write values into the PE's recording region, for whoever reads it after the run.

        A run that writes a trace puts them into its data set ``samples`` too. Costs
        ``record_word`` cycles per 32-bit word and takes room in the SRAM region
        ``recording``, which :meth:`Program.sram` must reserve. :attr:`recordings` holds, by name,
        a list of (tick, values).

        Raises
        ------
        SramError
            If the region is full.
        """
        array = np.array(values).reshape(-1)
        words = -(-array.nbytes // 4)
        held, room = self._recorded_bytes + 4 * words, self.sram.regions.get("recording", 0)
        if held > room:
            raise SramError(
                f"{self.label}: recording {name!r} in tick {self.tick} wants {4 * words} bytes, "
                f"{room - self._recorded_bytes} of {room} are left in region 'recording'; reserve "
                "more in Program.sram() or record less"
            )
        self._recorded_bytes = held
        written = {"record_word": words}
        self.charge(self.simulation.costs.cycles(written), written)
        self.recordings.setdefault(name, []).append((self.tick, array))
        self.simulation.tracer.observer.recorded(self, name, array)

    def dma_read(self, target: int, region: str, offset: int, words: int, label: str) -> Transfer:
        """Start to read ``words`` 32-bit words of a region of another endpoint's memory."""
        return self.simulation.dma(self.endpoint).read(target, region, offset, words, label)

    def dma_write(
        self, target: int, region: str, offset: int, words: NDArray[np.uint32], label: str
    ) -> Transfer:
        """Start to write 32-bit words into a region of another endpoint's memory."""
        return self.simulation.dma(self.endpoint).write(target, region, offset, words, label)

    # ------------------------------------------------------------------ used by effects
    @property
    def tick(self) -> int:
        """The last tick handled (-1 before the first)."""
        return int(self.simulation.cores.tick[self.core])

    @property
    def receive_capacity(self) -> int:
        """Packets that the receive FIFO holds, 0 if it has no limit."""
        machine = self.simulation.machine
        return int(machine.port_capacity[machine.endpoint_sink[self.endpoint]])

    def begin_handler(self, tick: int | None) -> None:
        """Open a handler; ``None`` for one that no tick started."""
        number = self.tick if tick is None else tick
        now = int(self.simulation.env.now)
        self.simulation.cores.begin(self._index, number, now, ticked=tick is not None)
        if self.simulation.levels.auto:
            self._choose_level()
        if self.simulation.operations is not None:
            self.simulation.operations.begin(self.core)
        if tick is not None:
            self.simulation.tick_handlers += 1
            self.spend(self.simulation.tick_cycles)

    def _choose_level(self) -> None:
        """Set the clock level of the handler that has just been opened."""
        simulation = self.simulation
        simulation.synchronise()
        waiting = simulation.network.waiting(self.inbox)
        choose_levels(simulation.cores.data, self.core, waiting, simulation.levels.switch_ps)

    def skip_masked_ticks(self) -> None:
        """Take the ticks that passed while the PE waited for others as handled."""
        simulation = self.simulation
        if simulation.timers is not None:
            simulation.timers.align(self.core)
            return
        simulation.cores.tick[self.core] = max(self.tick, simulation.clock.current())

    def tick_event(self) -> simpy.Event:
        """Return an event for this PE's next tick, which lies ahead."""
        simulation, tick = self.simulation, self.tick + 1
        if simulation.timers is None:
            return simulation.clock.wait(tick)
        return simulation.timers.wait(simulation.cores.tick_time(self.core, tick))

    def packet_event(self) -> simpy.Event:
        """Return an event for the next packet in the (empty) receive FIFO."""
        if self._packets is None or self._packets.triggered:
            self._packets = self.simulation.watches.inbox(self.inbox, 1)
        return self._packets

    def hung(self) -> bool:
        """Return whether the program is stuck by now (``faults.stuck_pes``)."""
        if self.stuck_from is None:
            return False
        return self._tick_now() >= self.stuck_from

    def _tick_now(self) -> int:
        """Return the last of the core's ticks whose time has come, -1 before tick 0."""
        return self.simulation.cores.tick_at(self.core, int(self.simulation.env.now))

    def ticks_before_stuck(self, ticks: int) -> int:
        """Return how many of the next ``ticks`` ticks the program handles before it is stuck."""
        assert self.stuck_from is not None
        return max(0, min(ticks, self.stuck_from - self.tick - 1))

    def hang(self) -> Waiting:
        """Wait for ever."""
        assert self.stuck_from is not None
        self.effect = Hang(self.stuck_from)
        yield self.simulation.env.event()

    def charge(self, count: int, operations: Mapping[str, int]) -> None:
        """Add the cycles of some operations to the open handler, and note what they were for."""
        self.spend(count)
        for name, times in operations.items():
            self.operations[name] = self.operations.get(name, 0) + times
        if self.simulation.operations is not None:
            self.simulation.operations.charge(self.core, operations)

    def spend(self, count: int) -> None:
        """Add cycles to the open handler."""
        cores = self.simulation.cores
        cores.cycles[self.core] += count
        base = max(int(cores.end_ps[self.core]), int(self.simulation.env.now))
        clock = self.simulation.levels.mhz[cores.level.item(self.core)]
        cores.end_ps[self.core] = base + cycles(count, clock)

    def until_idle(self) -> Waiting:
        """Wait until the open handler's work and sends are done, and leave it open."""
        simulation = self.simulation
        end = self.known_end()
        if end is None:
            while simulation.script_left(self.core):
                yield simulation.watches.accepted(self.core)
            end = simulation.handler_end(self.core)
        if end > simulation.env.now:
            yield alarm(simulation.env, end, PROGRAM)

    def is_free(self) -> bool:
        """Return whether no handler is open or running."""
        cores, core = self.simulation.cores, self.core
        return not cores.open.item(core) and cores.busy_ps.item(core) <= self.simulation.env.now

    def until_free(self) -> Waiting:
        """Wait until the open handler, if any, has ended, and close it."""
        if self.is_free():
            return
        yield from self.until_idle()
        simulation = self.simulation
        if simulation.cores.open.item(self.core):
            simulation.cores.settle_one(self.core, simulation.network, int(simulation.env.now))

    def known_end(self) -> int | None:
        """Return when the open handler ends (or the last one ended), None if that is not known yet.

        It is not while packets wait for room in the TX registers.
        """
        simulation = self.simulation
        cores = simulation.cores
        if not cores.open.item(self.core):
            return int(cores.busy_ps.item(self.core))
        if cores.packets_out.item(self.core):
            return None
        return int(cores.end_ps.item(self.core))

    def run(self) -> Waiting:
        """Drive the program until it ends (the PE's SimPy process)."""
        send = start_program(self.program, self).send
        result = None
        while True:
            try:
                yielded = send(result)
            except StopIteration:
                break
            self.effect = effect = check_effect(self.program, yielded, self.label)
            if self.stuck_from is not None and self.hung():
                yield from self.hang()
            result = yield from effect.perform(self)
        self.effect = None
        yield from self.until_free()
        self.finished = True
        self.simulation.program_ended(self.vertex)

    def plan_nets(self) -> None:
        """Prepare sending on this vertex's nets, once they are known."""
        self._plans = {name: SendPlan([handle]) for name, handle in self.nets.items()}

    def _net(self, net: str) -> NetHandle:
        handle = self.nets.get(net)
        if handle is None:
            raise ProgramError(
                f"{self.label}: no net {net!r} starts here{did_you_mean(net, self.nets)}"
            )
        return handle
