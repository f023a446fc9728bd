"""What all programs of a run work through: one job after another, each a batch on the chip."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from chipsim.sim.memory import Transfer
    from chipsim.sim.pe import ProcessingElement
    from chipsim.sim.program import Effect
    from chipsim.sim.simulation import Simulation

BEGIN_BARRIER = "first samples loaded"
BACKWARD_BARRIER = "backward done"
BATCH_BARRIER = "batch done"


@dataclass(frozen=True)
class Job:
    """One batch: at most one sample per replica.

    Attributes
    ----------
    events : list of ndarray of int32, shape (n, 2)
        Per sample its input spikes: step and line, sorted by step, then line.
    targets : list of ndarray of uint32
        Per sample the words that the loss program gets: the label, or the bits of dL/dt.
    samples : ndarray of int32
        Numbers of the samples, for traces.
    backward : bool
        Whether errors go back and gradients are gathered.
    update : bool
        Whether the optimiser then changes the weights and broadcasts them.
    batch : int
        Samples that the loss is the mean of.
    """

    events: list[NDArray[np.int32]]
    targets: list[NDArray[np.uint32]]
    samples: NDArray[np.int32]
    backward: bool
    update: bool
    batch: int

    def __len__(self) -> int:
        return len(self.events)

    def ticks(self, steps: int) -> int:
        """Return the ticks that a layer is busy with ``steps`` time steps, there and back."""
        return 2 * steps if self.backward else steps + 1


class Plan:
    """Jobs in order, pulled from an iterator as the first program asks for them.

    Parameters
    ----------
    jobs : iterator of Job
    on_done : callable
        ``on_done(number, job)`` when every program has finished a job.

    Attributes
    ----------
    start : int
        The first job of this process: above 0 where a checkpoint is continued.
    done : int
        Jobs done.
    """

    def __init__(self, jobs: Iterator[Job], on_done: Callable[[int, Job], None]) -> None:
        self._source = jobs
        self._jobs: dict[int, Job] = {}
        self._pulled = 0
        self._on_done = on_done
        self.start = 0
        self.done = 0

    def skip(self, jobs: int) -> None:
        """Go on after the first ``jobs`` jobs, which an earlier process has done."""
        for _ in range(jobs):
            next(self._source)
        self.start = self.done = self._pulled = jobs

    def job(self, number: int) -> Job | None:
        """Return job ``number``, or None after the last."""
        while self._pulled <= number:
            following = next(self._source, None)
            if following is None:
                return None
            self._jobs[self._pulled] = following
            self._pulled += 1
        return self._jobs[number]

    def finish(self) -> None:
        """Note that the oldest unfinished job is done."""
        job = self._jobs.pop(self.done)
        number = self.done
        self.done += 1
        self._on_done(number, job)


class SampleFeeder:
    """The host's part: writes a job's samples into the PEs, one job ahead, in two buffers.

    Parameters
    ----------
    plan : Plan
    inputs, losses : list of int
        Endpoints of the input and loss programs, by replica.
    """

    def __init__(self, plan: Plan, inputs: list[int], losses: list[int]) -> None:
        self.plan = plan
        self.inputs = inputs
        self.losses = losses
        self._transfers: dict[tuple[int, int, str], Transfer] = {}

    def load(self, simulation: Simulation, number: int) -> None:
        """Order the transfers of job ``number``, if there is one."""
        job = self.plan.job(number)
        if job is None:
            return
        sample, label = f"sample{number % 2}", f"target{number % 2}"
        writes, names = [], []
        numbers = job.samples.tolist()
        for replica, (events, target) in enumerate(zip(job.events, job.targets, strict=True)):
            text = f"sample {numbers[replica]} of job {number} for replica {replica}"
            writes.append((self.inputs[replica], sample, 0, sample_words(events), text))
            writes.append((self.losses[replica], label, 0, target, text))
            names.extend([(number, replica, "input"), (number, replica, "loss")])
        transfers = simulation.host.write_all(writes)
        self._transfers.update(zip(names, transfers, strict=True))

    def wait(
        self, pe: ProcessingElement, number: int, replica: int, role: str
    ) -> Generator[Effect, Any, None]:
        """Wait until a program's part of a job has arrived, if it has one."""
        transfer = self._transfers.pop((number, replica, role), None)
        if transfer is not None:
            yield pe.wait(transfer)


def sample_words(events: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return a sample's input spikes as words: their number, then ``step << 16 | line`` each."""
    words = np.empty(len(events) + 1, dtype=np.uint32)
    words[0] = len(events)
    words[1:] = (events[:, 0] << 16) | events[:, 1]
    return words


def sample_events(words: NDArray[np.uint32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (step, line) of a sample's words."""
    events = words[1 : 1 + int(words[0])]
    return (events >> 16).astype(np.int64), (events & 0xFFFF).astype(np.int64)
