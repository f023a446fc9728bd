"""What a trace holds beside packets, hops and ticks: loads, power, spikes, values, annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.sim import energy
from chipsim.sim.spike_log import SpikeLog
from chipsim.units import FOREVER

if TYPE_CHECKING:
    from chipsim.network.api import Sends
    from chipsim.sim.pe import ProcessingElement
    from chipsim.sim.simulation import Simulation
    from chipsim.trace.recorder import Recorder

_MW_PER_MJ_PS = 1e12
_HELD_SPIKES = 8192
"""Spikes that are held back before the recorder gets them."""
_STEPS_HELD = 4


class Observer:
    """Writes what is read off a simulation from time to time, or told by it.

    Nothing of it changes the run: windows are cut between SimPy's events.

    Parameters
    ----------
    simulation : Simulation
    recorder : Recorder

    Attributes
    ----------
    next_ps : int
        End of the open window of time, ``FOREVER`` where batches are the windows [ps].
    batch : int
        The batch that what happens now belongs to.
    spike_log : SpikeLog or None
        Spikes that are held back, if they are recorded.
    """

    def __init__(self, simulation: Simulation, recorder: Recorder) -> None:
        self.simulation = simulation
        self.recorder = recorder
        self.batch = self._before = -1
        self._since = -1
        self.writes = recorder.writes_packets
        self._sliced = self.writes and recorder.slice_ps > 0
        self.next_ps = recorder.slice_ps if self._sliced else FOREVER
        self._start_ps = 0
        channels = simulation.machine.channels
        self._packets = np.zeros(channels, dtype=np.int64)
        self._flits = np.zeros(channels, dtype=np.int64)
        self._energy_mj: dict[str, float] = {}
        self._open: dict[str, tuple[int, str, int]] = {}
        nets = simulation.mapping.application.nets
        blocks = [simulation.mapping.keys.get(net.name) for net in nets]
        # Net -1 (a transfer no net was declared for) is the last entry.
        base = np.array([0 if b is None else b.base for b in [*blocks, None]], np.int64)
        self._mask = np.array([0 if b is None else b.size - 1 for b in [*blocks, None]], np.int64)
        is_spike = np.array([*(net.kind == "spike" for net in nets), False])
        self.spike_log: SpikeLog | None = None
        if self.writes:
            self.spike_log = SpikeLog(_HELD_SPIKES, base, self._mask, is_spike)

    def number_neurons(self, net: int, bits: int) -> None:
        """Say that the lowest ``bits`` of a net's keys number its neurons (default: all)."""
        self._mask[net] = (1 << bits) - 1

    # ------------------------------------------------------------------------ windows of time
    def cut(self) -> bool:
        """Close the open window if nothing can happen in it any more; return whether it could.

        Called when SimPy's next event is not before the window's end.
        """
        network = self.simulation.network
        last = self.next_ps - 1
        if network.lazy and network.advance(last) < last:
            return True  # a watch fired: SimPy has something to do before the end
        # A handler belongs to the window in which it ends, whenever that is noticed.
        self.simulation.cores.settle_all(network, last, self.simulation.directory)
        self.window(self.next_ps)
        self.next_ps += self.recorder.slice_ps
        return True

    def flush(self, now: int) -> None:
        """Close the window that a batch is, unless windows are cut by time."""
        self.hand_over_spikes()
        if self.writes and not self._sliced:
            self.window(now)

    def finish(self, now: int) -> None:
        """Close what is open: the run is over."""
        if self.writes:
            self.window(now)
            for what in list(self._open):
                self._close(what, now)

    def window(self, end: int) -> None:
        """Hand over what every channel carried since the last window, and the power."""
        if end <= self._start_ps:
            return
        simulation = self.simulation
        counters = simulation.network.counters()
        # A window that ends where a batch begins is the last one of the batch before.
        batch = self._before if end <= self._since else self.batch
        taken = self.recorder.window.takes_batch(batch)
        packets = counters.channel_packets - self._packets
        flits = counters.channel_flits - self._flits
        peaks = simulation.network.take_queue_peaks()
        used = np.flatnonzero((packets > 0) | (peaks > 0))
        if len(used) and taken:
            self.recorder.channels(
                window_start_ps=self._start_ps,
                window_end_ps=np.full(len(used), end, dtype=np.int64),
                channel=used,
                packets=packets[used],
                flits=flits[used],
                busy_ps=flits[used] * simulation.machine.channel_flit_ps[used],
                queue_peak=peaks[used],
            )
        self._packets, self._flits = counters.channel_packets, counters.channel_flits
        self._power(end, taken)
        self._start_ps = end

    def _power(self, end: int, taken: bool) -> None:
        energies = energy.account(self.simulation, end)
        before, length = self._energy_mj, end - self._start_ps
        power = [
            (value - before.get(part, 0.0)) * _MW_PER_MJ_PS / length
            for part, value in energies.items()
        ]
        self._energy_mj = energies
        if not taken:
            return
        parts = [self.recorder.code("part", part) for part in energies]
        self.recorder.power(
            window_start_ps=self._start_ps,
            window_end_ps=np.full(len(parts), end, dtype=np.int64),
            part=np.array(parts, dtype=np.int16),
            power_mw=np.array(power, dtype=np.float64),
        )

    # ------------------------------------------------------------------------- names of times
    def annotate(self, what: str, name: str, number: int) -> None:
        """Say that from now on, until the next call for ``what``, it is this one's time.

        Parameters
        ----------
        what : str
            ``phase``, ``batch``, ``epoch``, or a word of the application's.
        name : str
        number : int
        """
        now = int(self.simulation.env.now)
        old = self._open.get(what)
        if old is not None and old[1:] == (name, number):
            return
        self._close(what, now)
        self._open[what] = (now, name, number)

    def _close(self, what: str, now: int) -> None:
        start, name, number = self._open.pop(what, (now, "", 0))
        if not self.writes or start == now:
            return
        self.recorder.annotations(
            start_ps=start,
            end_ps=np.array([now], dtype=np.int64),
            what=self.recorder.code("what", what),
            name=self.recorder.code("name", name),
            number=number,
        )

    # ---------------------------------------------------------------------- spikes and values
    def enter(self, batch: int) -> None:
        """Say which batch what happens from now on belongs to."""
        if batch != self.batch:
            self._before, self._since = self.batch, int(self.simulation.env.now)
            self.batch = batch
        if self.spike_log is not None:
            self.spike_log.enter(batch)

    def spikes(self, sends: Sends) -> None:
        """Write the spikes among some sends: one row each, however many packets it became."""
        if self.spike_log is not None and len(sends):
            self.make_room(len(sends))
            self.spike_log.add(sends)

    def make_room(self, count: int) -> None:
        """Make sure that ``count`` spikes can be held back, for compiled code that adds them."""
        log = self.spike_log
        if log is not None and not log.has_room(count):
            self.hand_over_spikes()
            # More than asked for: else a kernel with many spikes empties it each step.
            log.make_room(_STEPS_HELD * count)

    def hand_over_spikes(self) -> None:
        """Hand the spikes that were held back to the recorder."""
        if self.spike_log is not None and self.spike_log.rows:
            self.recorder.spikes(**self.spike_log.take())

    def recorded(self, pe: ProcessingElement, name: str, values: NDArray[Any]) -> None:
        """Write what a program has recorded."""
        if self.writes and len(values):
            count = len(values)
            vertex = self.simulation.vertex_number[pe.vertex]
            self.samples(name, np.full(count, vertex), np.arange(count), pe.tick, -1, values)

    def samples(
        self,
        quantity: str,
        vertex: NDArray[Any],
        neuron: NDArray[Any],
        tick: int,
        sample: NDArray[Any] | int,
        values: NDArray[Any],
    ) -> None:
        """Write values, one row each, as read now."""
        self.recorder.samples(
            time_ps=np.full(len(values), int(self.simulation.env.now), dtype=np.int64),
            vertex=vertex,
            quantity=self.recorder.code("quantity", quantity),
            neuron=neuron,
            tick=tick,
            batch=self.batch,
            sample=sample,
            value=values.astype(np.float64),
        )

    # ---------------------------------------------------------------------------- checkpoints
    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {
            "batch": self.batch,
            "next_ps": self.next_ps,
            "start_ps": self._start_ps,
            "packets": self._packets,
            "flits": self._flits,
            "energy_mj": dict(self._energy_mj),
            "open": {what: list(entry) for what, entry in self._open.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.enter(int(state["batch"]))
        self.next_ps, self._start_ps = int(state["next_ps"]), int(state["start_ps"])
        self._packets, self._flits = state["packets"], state["flits"]
        self._energy_mj = {part: float(mj) for part, mj in state["energy_mj"].items()}
        self._open = {
            what: (int(start), str(name), int(number))
            for what, (start, name, number) in state["open"].items()
        }
