"""What all programs of a run share: they begin together, then do one batch a job."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Effect, Program
from eventprop_apps.programs.plan import BATCH_BARRIER, BEGIN_BARRIER, Job, Plan, SampleFeeder

Steps = Generator[Effect, Any, None]
"""What a program does, as effects of its PE."""


class BatchProgram(Program):
    """A program of a run; override `batch`, and `ready` where it waits for the host.

    Parameters
    ----------
    plan : Plan
        The jobs.
    sram : dict of str to int, optional
        Bytes by region.
    """

    def __init__(self, plan: Plan, sram: dict[str, int] | None = None) -> None:
        self.plan = plan
        self._sram = sram or {}

    def sram(self) -> dict[str, int]:
        """Return bytes by SRAM region."""
        return self._sram

    def run(self, pe: ProcessingElement) -> Steps:
        """Do one batch a job, each begun together with all other programs."""
        number = self.plan.start
        if not number:
            yield from self.ready(pe, number)
            yield pe.barrier(BEGIN_BARRIER)
        while (job := self.plan.job(number)) is not None:
            yield from self.batch(pe, number, job)
            # Waiting before the barrier, and not after it, lets all begin a batch together.
            yield from self.ready(pe, number + 1)
            yield pe.barrier(BATCH_BARRIER)
            number += 1

    def ready(self, pe: ProcessingElement, number: int) -> Steps:
        """Wait for what job ``number`` needs of the host; nothing here."""
        yield from ()

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Do job ``number``."""
        raise NotImplementedError


class FedProgram(BatchProgram):
    """A program that gets its part of a sample from the host, a job ahead.

    Parameters
    ----------
    replica : int
    plan : Plan
    feeder : SampleFeeder
    role : {"input", "loss"}
        Which part.
    sram : dict of str to int
    """

    def __init__(
        self, replica: int, plan: Plan, feeder: SampleFeeder, role: str, sram: dict[str, int]
    ) -> None:
        super().__init__(plan, sram)
        self.replica = replica
        self.feeder = feeder
        self.role = role

    def ready(self, pe: ProcessingElement, number: int) -> Steps:
        """Wait for the part of job ``number``, if the replica has one."""
        return self.feeder.wait(pe, number, self.replica, self.role)
