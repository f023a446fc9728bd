"""Whole steps: the handlers of a group's rows in one compiled call, where the kernel has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ProgramError
from chipsim.network.api import PAYLOAD_WORDS
from chipsim.sim import whole as at
from chipsim.sim.expand import INTS, LONGS
from chipsim.sim.sends import bad_offset, plain_sends

if TYPE_CHECKING:
    from chipsim.sim.steps import StepGroup

I32 = NDArray[np.int32]


class WholeSteps:
    """What a group's compiled calls need, and what is left to do after one.

    Parameters
    ----------
    group : StepGroup
    left, total : ndarray of int64, shape (rows,)
        Of the group: ticks left of each row's effect, and ticks that it had at its start.
    costs : ndarray of int64, shape (operations,)
        Cycles of the kernel's operations.

    Attributes
    ----------
    handlers : int
        Handlers done whole so far.
    """

    def __init__(
        self,
        group: StepGroup,
        left: NDArray[np.int64],
        total: NDArray[np.int64],
        costs: NDArray[np.int64],
    ) -> None:
        self._kernel, self._simulation = group.kernel, group.simulation
        self._left, self._total = left, total
        rows = len(group.cores)
        self._step = np.zeros(rows, dtype=np.int64)
        self._counts = np.zeros((rows, len(costs)), dtype=np.int64)
        self._rates = group.simulation.levels.rates()
        room = group.kernel.room()
        self._longs = np.empty((LONGS, room), dtype=np.int64)
        self._ints = np.empty((INTS, room), dtype=np.int32)
        self._keys = np.empty(room, dtype=np.uint32)
        self._words = np.empty((room, PAYLOAD_WORDS), dtype=np.uint32)
        self._costs = costs
        self._rows: I32 | None = None
        self.handlers = 0
        self.form = np.zeros(at.FORM, dtype=np.int64)
        self._fill(group)

    def _fill(self, group: StepGroup) -> None:
        """Write what does not change into the form."""
        simulation, form = self._simulation, self.form
        tracer = simulation.tracer
        assert simulation.directory is not None
        arrays: dict[int, NDArray[Any]] = {
            at.NETWORK: simulation.directory,
            at.DATA: simulation.cores.data,
            at.LEFT: self._left,
            at.TOTAL: self._total,
            at.STEP: self._step,
            at.COUNTS: self._counts,
            at.COSTS: self._costs,
            at.TOTALS: group.counts,
            at.RATES: self._rates,
            at.SEQUENCE: simulation.sequence,
            at.KIND_OF_NET: tracer.kind_of_net,
            at.SENT_KINDS: tracer.sent_by_kind,
            at.LOG: tracer.packet_log.form,
            at.OUT_LONGS: self._longs,
            at.OUT_INTS: self._ints,
            at.OUT_KEYS: self._keys,
            at.OUT_WORDS: self._words,
        }
        arrays |= self._recorded(group)
        for field, array in arrays.items():
            form[field] = array.ctypes.data
        self._alive: Any = arrays  # as long as their addresses are used
        form[at.NETWORK_LENGTH] = len(arrays[at.NETWORK])
        form[at.DATA_CORES] = simulation.cores.data.shape[1]
        form[at.ALL_ROWS] = len(self._left)
        form[at.OPERATIONS], form[at.LEVELS] = len(self._costs), len(self._rates)
        form[at.VERTICES], form[at.NETS] = len(simulation.sequence), len(tracer.kind_of_net)
        form[at.KINDS] = len(tracer.sent_by_kind)
        form[at.PER_TICK], form[at.PER_SEND] = simulation.tick_cycles, simulation.send_cycles
        form[at.SWITCH_PS] = simulation.levels.switch_ps
        form[at.OUT_ROOM] = len(self._keys)

    def _recorded(self, group: StepGroup) -> dict[int, NDArray[Any]]:
        """Return the arrays that are filled in only where handlers and spikes are recorded."""
        operations, spikes = self._simulation.operations, self._simulation.tracer.observer.spike_log
        arrays: dict[int, NDArray[Any]] = {}
        if spikes is not None:
            arrays[at.SPIKES] = spikes.form
        if operations is not None:
            arrays[at.CHARGED] = operations.table
            arrays[at.CHARGED_COLUMNS] = operations.columns(group.kernel.operations)
            self.form[at.CHARGED_CORES] = len(operations.table)
            self.form[at.CHARGED_OPERATIONS] = operations.table.shape[1]
        return arrays

    def run(self, rows: I32, cores: I32, inboxes: I32, tick: int, now: int) -> int:
        """Do the handlers of ``tick`` on some rows, all at one step of their effects.

        Returns
        -------
        int
            How many rows had the last tick of their effect; -1 if nothing was done: the rows are
            not all due and free, or the kernel does this step in parts.
        """
        form = self.form
        if rows is not self._rows:
            self._rows = rows
            self._here = (cores, inboxes)
            form[at.ROWS], form[at.COUNT] = rows.ctypes.data, len(rows)
            form[at.CORES], form[at.INBOXES] = cores.ctypes.data, inboxes.ctypes.data
        first = rows.item(0)
        local = self._total.item(first) - self._left.item(first)
        tracer = self._simulation.tracer
        tracer.observer.make_room(len(self._keys))
        if not self._kernel.whole(form, local, tick, now):
            return -1
        status, _, sent, last = form[: at.LAST + 1].tolist()
        if status == at.NO_ROOM and tracer.packet_log.rows:
            tracer.hand_over()
            return self.run(rows, cores, inboxes, tick, now)
        if status in (at.IN_PARTS, at.NO_ROOM):
            return -1
        self._simulation.tick_handlers += len(rows)
        self.handlers += len(rows)
        tracer.packets_by_software += sent
        if status != at.DONE:
            self._send(status, sent)
        return int(last)

    def _send(self, status: int, sent: int) -> None:
        """Hand over packets that the network had no room for, or refuse them."""
        if status == at.NOT_SENT:
            longs, ints = self._longs[:, :sent], self._ints[:, :sent]
            self._simulation.network.send(
                plain_sends(longs, ints, self._keys[:sent], self._words[:sent])
            )
            return
        net, size, offset = self.form[at.BAD_NET : at.BAD_OFFSET + 1].tolist()
        if status == at.BAD_KEY:
            raise bad_offset(self._simulation.net_names[net], size, offset)
        raise ProgramError(
            f"kernel {type(self._kernel).__name__}: its rows sent more packets in one step than "
            f"its room() of {len(self._keys)}; raise it"
        )
