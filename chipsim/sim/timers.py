"""The PEs' timers where they do not tick all at once: phases and drift.

Tick k of a PE is at ``offset + k * period`` of its own. Phases lie within a part of the tick
(``pe.timer_spread``): ``random`` ones anywhere in it, ``tdma`` ones evenly, in the order of the
cores. A drifting timer's period is wrong by up to ``pe.timer_drift_ppm``, drawn per PE; the line
that releases a barrier sets its members' timers again (it starts all of them at once on SpiNNaker2,
CHIP26), so drift counts from the last barrier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import DescriptionError, did_you_mean
from chipsim.machine.description import Description
from chipsim.network.instant import PROGRAM, alarm, at
from chipsim.seeds import rng

if TYPE_CHECKING:
    from chipsim.sim.simulation import Simulation
    from chipsim.sim.steps import StepGroup

PHASES = ("zero", "random", "tdma")
_FIELDS = ("phase", "spread", "drift_ppm", "seed")


@dataclass(frozen=True)
class TimerOptions:
    """How the PEs' timers differ.

    Attributes
    ----------
    phase : str
        ``zero``, ``random`` or ``tdma``.
    spread : float
        Part of a tick over which phases lie, 0 to 1.
    drift_ppm : float
        Largest error of a timer's period [parts in a million].
    seed : int
        Of random phases and of drifts.
    """

    phase: str = "zero"
    spread: float = 0.0
    drift_ppm: float = 0.0
    seed: int = 0

    @classmethod
    def read(cls, figures: Description, given: Mapping[str, object] | None = None) -> TimerOptions:
        """Read the figures ``pe.timer_...`` that are needed; ``given`` replaces some, by name.

        Raises
        ------
        DescriptionError
            For a name or a value that is none.
        """
        changed = {name: value for name, value in (given or {}).items() if value is not None}
        problems = [
            f"{name}: unknown{did_you_mean(name, _FIELDS)}"
            for name in changed
            if name not in _FIELDS
        ]
        if problems:
            raise DescriptionError("timers", problems)
        settings = {f"pe.timer_{name}": value for name, value in changed.items()}
        known = figures.with_settings(settings) if settings else figures
        if "pe.timer_phase" not in known:
            return cls()
        phase, drift = known.text("pe.timer_phase"), known.number("pe.timer_drift_ppm")
        if phase == "zero" and not drift:
            return cls()
        # Assumed figures count as used only if the timers really differ; the run's own are noted.
        spread = 0.0
        if phase != "zero":
            spread = known.number("pe.timer_spread")
            if "spread" not in changed:
                figures.number("pe.timer_spread")
        return cls(phase, spread, drift, known.integer("pe.timer_seed"))

    @property
    def uniform(self) -> bool:
        """Whether all timers tick at once."""
        return not self.drift_ppm and (self.phase == "zero" or not self.spread)

    def phases(self, cores: int, tick_ps: int) -> NDArray[np.int64]:
        """Return the phase of each core's timer [ps], shape (cores,)."""
        room = round(self.spread * tick_ps)
        if self.phase == "tdma":
            return np.arange(cores, dtype=np.int64) * room // max(1, cores)
        if self.phase == "random" and room:
            return rng(self.seed, "timers", "phase").integers(0, room, cores, dtype=np.int64)
        return np.zeros(cores, dtype=np.int64)

    def periods(self, cores: int, tick_ps: int) -> NDArray[np.int64]:
        """Return the tick length of each core's timer [ps], shape (cores,)."""
        drift = rng(self.seed, "timers", "drift").uniform(-self.drift_ppm, self.drift_ppm, cores)
        if not self.drift_ppm:
            return np.full(cores, tick_ps, dtype=np.int64)
        return np.maximum(1, np.rint(tick_ps * (1 + drift * 1e-6))).astype(np.int64)


class Timers:
    """Timers that differ: they wake each PE, and each row of a kernel, at its own ticks.

    Rows of a kernel that are due at one instant for one tick are still one call.

    Parameters
    ----------
    simulation : Simulation
        Its cores get their offsets and periods.
    options : TimerOptions
    """

    def __init__(self, simulation: Simulation, options: TimerOptions) -> None:
        self.simulation = simulation
        self.options = options
        cores, clock = simulation.cores, simulation.clock
        count = len(cores.endpoint)
        self.phase_ps = options.phases(count, clock.tick_ps)
        cores.period_ps[:] = options.periods(count, clock.tick_ps)
        cores.offset_ps[:] = clock.offset_ps + self.phase_ps
        self._due: dict[int, list[tuple[StepGroup, int]]] = {}

    def align(self, core: int) -> None:
        """Set a core's timer by the reference clock, from whose next tick on it drifts again."""
        simulation = self.simulation
        following = simulation.clock.current() + 1
        cores = simulation.cores
        due = simulation.clock.time_of(following) + self.phase_ps.item(core)
        cores.offset_ps[core] = due - following * cores.period_ps.item(core)
        cores.tick[core] = following - 1

    def wait(self, time_ps: int) -> simpy.Event:
        """Return an event at a PE's tick, for its program."""
        self.simulation.clock.resume()  # whoever looks at each tick of the reference clock
        return alarm(self.simulation.env, time_ps, PROGRAM)

    def wake(self, group: StepGroup, row: int, time_ps: int) -> None:
        """Run a row of a kernel at its tick's time."""
        held = self._due.get(time_ps)
        if held is None:
            held = self._due[time_ps] = []
            at(self.simulation.env, time_ps, PROGRAM, lambda: self._fire(time_ps))
        held.append((group, row))

    def _fire(self, time_ps: int) -> None:
        self.simulation.settle()
        self.simulation.clock.resume()
        rows: dict[int, list[int]] = {}
        groups: dict[int, StepGroup] = {}
        for group, row in self._due.pop(time_ps):
            rows.setdefault(group.number, []).append(row)
            groups[group.number] = group
        for number in sorted(rows):
            groups[number].on_timer(np.array(sorted(rows[number]), dtype=np.int32))
