"""What the phases of training cost: time, ticks, cycles, packets, bytes, hops, energy; per sample.

A phase is a time: it lasts from where it is entered to where the next one is. All counters are read
at these moments and nowhere else, four or five times a batch, so ticks are as fast as without.

========== ============================================================ =========================
phase      from                                                         per sample of
========== ============================================================ =========================
forward    the batch's begin; the loading of the next batch's samples   the training
backward   the first errors of the loss, in tick T                      the training
gather     the barrier at which all gradients are ready                 the training
update     the first optimiser PE's work on the weights                 the training
broadcast  the first optimiser PE's first new weight                    the training
test       the begin of a batch without backward steps                  the test
========== ============================================================ =========================

Time, packets, bytes and packet-hops are what happened in that time; cycles are those of operations
charged in it. Energy is apportioned: a phase gets its share of each part of the summary's account
by what that part grows with: base and sleep power by time, computing by cycles (exact at one clock
level; with two, a cycle counts as the mean one), channels by flits and packets, DRAM by bytes. So
the phases' figures add up to the summary's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.application import KINDS
from chipsim.sim.energy import account as energy_account
from chipsim.units import PS_PER_S, PS_PER_US
from eventprop_apps.exchange.meter import PACKET_BYTES

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation

PHASES = ("forward", "backward", "gather", "update", "broadcast", "test")
BEGINNINGS = ("forward", "test")
TIME, CYCLES, HOPS, DRAM = range(4)
_FIXED = 4
I64 = NDArray[np.int64]


class PhaseMeter:
    """Reads a simulation's counters where its phases change.

    Parameters
    ----------
    simulation : Simulation

    Attributes
    ----------
    phase : str
        The open one.
    samples : dict of str to int
        Samples worked through: ``training`` and ``test``.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._classes = len(simulation.machine.classes)
        self.phase = PHASES[0]
        self.samples = {"training": 0, "test": 0}
        columns = _FIXED + len(KINDS) + 2 * self._classes
        self._sums = np.zeros((len(PHASES), columns), dtype=np.int64)
        self._last = np.zeros(columns, dtype=np.int64)

    def enter(self, phase: str) -> None:
        """Say that a phase begins now.

        The phases of a batch come in order: an optimiser PE that begins its update while another
        one sends weights, or a late loss, does not take the batch back.
        """
        begins = phase in BEGINNINGS and phase != self.phase
        if begins or PHASES.index(phase) > PHASES.index(self.phase):
            now = self._now()
            self._sums[PHASES.index(self.phase)] += now - self._last
            self._last = now
            self.phase = phase

    def done(self, samples: int, training: bool) -> None:
        """Count a batch's samples."""
        self.samples["training" if training else "test"] += samples

    def _now(self) -> I64:
        """Return all counters, shape (columns,)."""
        simulation = self._simulation
        simulation.synchronise()
        simulation.charge_kernels()
        simulation.tracer.hand_over_sends()
        costs, machine = simulation.costs, simulation.machine
        cycles = sum(count * costs.cost(name) for name, count in costs.used.items())
        carried = simulation.network.carried()
        sent = simulation.tracer.recorder.packets_sent()
        dram = simulation.transfers.dram_bytes_moved
        fixed = (int(simulation.env.now), cycles, int(carried.packet_hops), int(dram))
        grants = [
            np.bincount(machine.channel_class, weights=counted, minlength=self._classes)
            for counted in (carried.channel_flits, carried.channel_packets)
        ]
        kinds = [sent.get(kind, 0) for kind in KINDS]
        return np.concatenate([[*fixed, *kinds], *grants]).astype(np.int64)

    # ------------------------------------------------------------------------------- result
    def summary(self) -> dict[str, dict[str, Any]]:
        """Return, for each phase, what it cost so far, in all and per sample.

        Returns
        -------
        dict
            By phase: ``us``, ``ticks`` (time in ticks, not whole ones), ``cycles``, ``packets``
            (by kind), ``bytes`` (16 a packet: one flit), ``packet_hops``, ``energy_mj`` (by part),
            and ``per_sample`` with the same summed over kinds and parts, energy in uJ; None where
            no sample was finished.
        """
        sums = self._sums.copy()
        sums[PHASES.index(self.phase)] += self._now() - self._last
        energies = self._energies(sums)
        tick_ps = self._simulation.clock.tick_ps
        rows = {}
        for number, phase in enumerate(PHASES):
            own = sums[number]
            kinds = own[_FIXED : _FIXED + len(KINDS)].tolist()
            row: dict[str, Any] = {
                "us": int(own[TIME]) / PS_PER_US,
                "ticks": int(own[TIME]) / tick_ps,
                "cycles": int(own[CYCLES]),
                "packets": dict(zip(KINDS, kinds, strict=True)),
                "bytes": PACKET_BYTES * sum(kinds),
                "packet_hops": int(own[HOPS]),
                "energy_mj": {part: float(shares[number]) for part, shares in energies.items()},
            }
            samples = self.samples["test" if phase == "test" else "training"]
            rows[phase] = row | {"per_sample": _per_sample(row, samples)}
        return rows

    def seconds(self, epochs: int) -> dict[str, float]:
        """Return the chip time of an epoch [s], in the mean: ``training`` and ``test``."""
        time = self._sums[:, TIME].copy()
        time[PHASES.index(self.phase)] += int(self._simulation.env.now) - self._last[TIME]
        test = int(time[PHASES.index("test")])
        training = int(time.sum()) - test
        return {
            name: part / PS_PER_S / max(1, epochs)
            for name, part in (("training", training), ("test", test))
        }

    def _energies(self, sums: I64) -> dict[str, NDArray[np.float64]]:
        """Return each part's energy [mJ] by phase, shape (phases,)."""
        machine = self._simulation.machine
        first = _FIXED + len(KINDS)
        drivers: dict[str, NDArray[np.float64]] = {}
        for number, cls in enumerate(machine.classes):
            flits, packets = sums[:, first + number], sums[:, first + self._classes + number]
            picojoules = flits * cls.pj_per_flit + packets * cls.pj_per_packet
            drivers[cls.energy_part] = drivers.get(cls.energy_part, 0.0) + picojoules
        drivers["pe_active"] = sums[:, CYCLES].astype(np.float64)
        drivers["dram"] = sums[:, DRAM].astype(np.float64)
        time = sums[:, TIME].astype(np.float64)
        shares = {}
        for part, total in energy_account(self._simulation).items():
            driver = drivers.get(part, time)
            shares[part] = driver * (total / driver.sum()) if driver.sum() else 0.0 * driver
        return shares

    # -------------------------------------------------------------------------- checkpoints
    def state(self) -> dict[str, Any]:
        """Return the sums so far, for a checkpoint."""
        return {
            "phase": self.phase,
            "sums": self._sums,
            "last": self._last,
            "samples": dict(self.samples),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state`."""
        self.phase = str(state["phase"])
        self._sums[:], self._last[:] = state["sums"], state["last"]
        self.samples = {name: int(count) for name, count in state["samples"].items()}


def _per_sample(row: Mapping[str, Any], samples: int) -> dict[str, float] | None:
    if not samples:
        return None
    return {
        "us": row["us"] / samples,
        "ticks": row["ticks"] / samples,
        "cycles": row["cycles"] / samples,
        "packets": sum(row["packets"].values()) / samples,
        "bytes": row["bytes"] / samples,
        "packet_hops": row["packet_hops"] / samples,
        "energy_uj": 1e3 * sum(row["energy_mj"].values()) / samples,
    }
