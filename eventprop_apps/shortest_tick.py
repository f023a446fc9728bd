"""The shortest tick: ``tick.us = "auto"`` finds it with short runs before the training.

A tick is long enough if no handler overruns it and no spike or error is consumed late (which does
not count where packets are late however long the tick is: with timers of the PEs' own). While that
holds, what a tick does has nothing to do with its length, so the longest handler of one run with a
long tick is the answer, and the runs after it only make sure: at the answer, and a microsecond
below it. Where a run says otherwise (packets that are late although no handler is), the search goes
on by bisection. The first runs take the first batches, with the initial weights; the answer must
then hold over a whole epoch, test included, or it grows. Later epochs may ask for more: their
overruns are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from chipsim.errors import ExperimentError
from chipsim.experiment.kinds import Progress
from chipsim.mapping.application import KINDS
from chipsim.sim.trace import PHASES
from chipsim.trace.recorder import Recorder
from chipsim.units import PS_PER_US
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.interrupt import stop_on_interrupt
from eventprop_apps.programs.plan import Job
from eventprop_apps.training import TrainingRun

FIRST_US = 1000
"""The usual tick, where the search begins."""
LONGEST_US = 10**9
FIRST_BATCHES = 10
"""Batches of the first runs."""


@dataclass(frozen=True)
class Step:
    """One run of the search.

    Attributes
    ----------
    us : int
        Length of the tick [us].
    batches : int
        Batches that the run took, test included.
    overruns, late_spikes, late_errors : int
        What it counted; currents of slices count as spikes.
    longest_us : float
        Longest time from a tick to the end of its handler [us].
    """

    us: int
    batches: int
    overruns: int
    late_spikes: int
    late_errors: int
    longest_us: float

    @property
    def late(self) -> int:
        """Packets consumed late."""
        return self.late_spikes + self.late_errors

    def enough(self, punctual: bool = True) -> bool:
        """Return whether the tick was long enough, for packets too if ``punctual``."""
        return not (self.overruns or (punctual and self.late))

    @property
    def wanted_us(self) -> int:
        """The shortest tick that has room for the longest handler [us]."""
        return max(1, -int(-self.longest_us // 1))


Probe = Callable[[int, int | None], Step]
"""``probe(us, batches)``: run with a tick; ``batches`` None is an epoch with its test."""


def search(probe: Probe, first_us: int = FIRST_US) -> tuple[int, list[Step]]:
    """Return the shortest tick [us], and the steps that found it.

    Parameters
    ----------
    probe : callable
        ``probe(us, batches)`` returns a :class:`Step`.
    first_us : int
        Where to begin.

    Raises
    ------
    ExperimentError
        If even the longest tick that can be set is too short.

    Notes
    -----
    Three runs of a few batches and one of an epoch, where the longest handler decides; else
    O(log first_us) more. An epoch that the tick is too short for makes it longer, and is followed
    by another.
    """
    steps: list[Step] = []

    def tried(us: int, batches: int | None) -> Step:
        steps.append(probe(us, batches))
        return steps[-1]

    step = tried(first_us, FIRST_BATCHES)
    punctual = step.overruns > 0 or not step.late
    while not step.enough(punctual):
        if step.us >= LONGEST_US:
            raise ExperimentError(
                "tick.us",
                [f"auto: a tick of {step.us} us is too short ({step}); give tick.us a length"],
            )
        step = tried(min(LONGEST_US, 2 * step.us), FIRST_BATCHES)
    low, high = 0, step.us
    following = step.wanted_us
    while low + 1 < high:
        step = tried(min(max(following, low + 1), high - 1), FIRST_BATCHES)
        enough = step.enough(punctual)
        low, high = (low, step.us) if enough else (step.us, high)
        # Once the longest handler has had its say: just below what was enough, then halves.
        following = high - 1 if enough and step.us == step.wanted_us else (low + high) // 2
    while not (step := tried(high, None)).enough(punctual):
        low, high = high, max(high + 1, min(step.wanted_us, 2 * high))
    # A handler that began late, behind an overrun, seems longer than it is: perhaps too much.
    following = step.wanted_us
    while low + 1 < high and following < high:
        step = tried(max(following, low + 1), None)
        enough = step.enough(punctual)
        low, high = (low, step.us) if enough else (step.us, high)
        following = step.wanted_us if enough else (low + high) // 2
    return high, steps


class ProbeRun(TrainingRun):
    """A training of which only the first batches, or the first epoch, is run.

    Parameters
    ----------
    values : TrainingModel
        With a length of the tick.
    seed : int
    train, test : Dataset
    batches : int or None
        Training batches to run; None: an epoch with its test.
    """

    def __init__(
        self,
        values: TrainingModel,
        seed: int,
        train: Dataset,
        test: Dataset,
        batches: int | None,
    ) -> None:
        self._limit = batches
        recorder = Recorder(kinds=KINDS, phases=PHASES)
        super().__init__(values, seed, train, test, recorder, None, lambda _: None)

    def _jobs(self) -> Iterator[Job]:
        epoch = self.per_epoch + -(-len(self.test_set) // self.values.train.batch)
        limit = epoch if self._limit is None else min(self._limit, self.per_epoch)
        return islice(super()._jobs(), limit)

    def _on_done(self, _: int, job: Job) -> None:
        """Keep no account of what is learned."""

    def step(self) -> Step:
        """Run, and return what was seen.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C.
        """
        simulation = self.chip.simulation
        with stop_on_interrupt(simulation):
            self.chip.run()
        if simulation.stop_requested:
            raise KeyboardInterrupt
        late = simulation.tracer.late
        return Step(
            us=simulation.clock.tick_ps // PS_PER_US,
            batches=self.chip.plan.done,
            overruns=simulation.tick_log.overruns,
            late_spikes=late["spike"] + late["current"],
            late_errors=late["error"],
            longest_us=simulation.tick_log.use_max_ps / PS_PER_US,
        )


def with_tick(values: TrainingModel, us: int) -> TrainingModel:
    """Return the sections with another tick."""
    return values.model_copy(update={"tick": values.tick.model_copy(update={"us": us})})


def shortest_tick(
    values: TrainingModel, seed: int, train: Dataset, test: Dataset, progress: Progress
) -> tuple[int, list[dict[str, Any]]]:
    """Return the shortest tick of an experiment [us] and the search's steps, as plain values.

    Raises
    ------
    ExperimentError
        If there is none.
    """

    def probe(us: int, batches: int | None) -> Step:
        step = ProbeRun(with_tick(values, us), seed, train, test, batches).step()
        progress({"tick_us": us, "batches": step.batches, "overruns": step.overruns})
        return step

    found, steps = search(probe)
    return found, [asdict(step) for step in steps]
