"""Background traffic beside a training run, and why packets of the run are late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from chipsim.mapping.application import Application, Net, Vertex
from chipsim.seeds import derive
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Kernel, Program, StepCall
from chipsim.sim.sends import SendPlan
from eventprop_apps.chip import ChipRun
from eventprop_apps.programs.batches import BatchProgram, Steps
from eventprop_apps.programs.plan import Job, Plan

CAUSES = ("sender", "network", "receiver")
"""Why a packet was late; see `LateWatch`."""
SINK = "background sink"
_DRAWS = 4096


class BackgroundKernel(Kernel):
    """All senders: a Poisson number of packets each and tick, to one sink.

    Parameters
    ----------
    senders : int
    rate : float
        Mean packets of a sender in a tick.
    seed : int

    Notes
    -----
    The numbers are drawn beforehand, 4,096 a sender, and come again after that: so they do not
    depend on which senders run late.
    """

    operations: ClassVar[tuple[str, ...]] = ()

    def __init__(self, senders: int, rate: float, seed: int) -> None:
        draws = np.random.default_rng(derive(seed, "background"))
        self.counts = draws.poisson(rate, (senders, _DRAWS))
        self.plan: SendPlan | None = None
        self.before = 0

    def step(self, call: StepCall) -> None:
        """Send the packets of the tick."""
        count = self.counts[call.rows, (self.before + call.step) % _DRAWS]
        position = np.repeat(np.arange(len(call.rows), dtype=np.int32), count)
        if self.plan is not None:
            call.send(self.plan, position, np.zeros(len(position), dtype=np.int64))


class SinkKernel(Kernel):
    """Takes what it gets."""

    operations: ClassVar[tuple[str, ...]] = ()

    def step(self, call: StepCall) -> None:
        """Do nothing: the inbox has been drained."""


class BackgroundProgram(BatchProgram):
    """Accompanies each job's ticks with a kernel."""

    def __init__(self, kernel: Kernel, plan: Plan, steps: int) -> None:
        super().__init__(plan)
        self.kernel, self.steps = kernel, steps

    def batch(self, pe: ProcessingElement, number: int, job: Job) -> Steps:
        """Do as many ticks as the layers."""
        if isinstance(self.kernel, BackgroundKernel):
            self.kernel.before = number * 2 * self.steps
        yield pe.step(self.kernel, ticks=job.ticks(self.steps))


@dataclass
class LateWatch:
    """Counts late spikes and errors by cause, as the programs that consume them see it.

    A packet is late if it is consumed in another tick than the one after its sending. The cause is

    - ``sender``: it entered the network after that tick had begun: its sender ran late;
    - ``network``: it entered before and arrived after that tick had begun;
    - ``receiver``: it had arrived when the tick began; its receiver ran late.

    Attributes
    ----------
    tick_ps : int
    late : Counter
        By cause.
    behind : int
        Handlers that began after their tick, since the one before had not ended.
    """

    time_of: Callable[[Any], Any]
    late: Counter[str] = field(default_factory=Counter)
    behind: int = 0

    def __call__(self, call: StepCall, _: int = 0) -> None:
        """Look at what a kernel has drained."""
        if call.start_ps > self.time_of(call.tick):
            self.behind += len(call.rows)
        inbox = call.inbox
        late = inbox.tick + 1 != call.tick
        if not late.any():
            return
        due = self.time_of(inbox.tick[late].astype(np.int64) + 1)
        cause = np.where(
            inbox.injected_ps[late] >= due, 0, np.where(inbox.time_ps[late] > due, 1, 2)
        )
        for name, count in zip(CAUSES, np.bincount(cause, minlength=3).tolist(), strict=True):
            self.late[name] += count


class CongestedRun(ChipRun):
    """A run with background traffic beside it.

    Parameters
    ----------
    senders : int
        PEs that send, all of them to one sink; none: no background.
    rate : float
        Mean packets of each in a tick.
    *args, **more
        As `ChipRun`.
    """

    def __init__(self, senders: int, rate: float, *args: Any, **more: Any) -> None:
        self._rate = rate
        self._senders = [f"background{n}" for n in range(senders)]
        super().__init__(*args, **more)
        self.watch = LateWatch(self.simulation.clock.time_of)
        for kernel in self.kernels:
            kernel.watch = self.watch
        self.loss.watch = self.watch

    def _beside(self, application: Application) -> Application:
        names = [*self._senders, SINK] if self._senders else []
        return replace(
            application,
            vertices=application.vertices + tuple(Vertex(n, {"code": 1024}) for n in names),
            nets=application.nets
            + tuple(Net(name, name, (SINK,), kind="host") for name in self._senders),
        )

    def _programs_beside(self) -> dict[str, Program]:
        if not self._senders:
            return {}
        steps = self.model.steps
        self._background = BackgroundKernel(len(self._senders), self._rate, self.options.seed)
        self._sink = SinkKernel()
        programs: dict[str, Program] = {
            name: BackgroundProgram(self._background, self.plan, steps) for name in self._senders
        }
        return programs | {SINK: BackgroundProgram(self._sink, self.plan, steps)}

    def _connect_beside(self) -> None:
        if self._senders:
            self._background.plan = self.simulation.send_plan(self._senders)
            self.simulation.bind(self._background, self._senders)
            self.simulation.bind(self._sink, [SINK])


def counted(run: CongestedRun) -> dict[str, Any]:
    """Return what was late in a run that is over: by kind, by cause, and as a share.

    Returns
    -------
    dict
        ``late`` (by kind), ``causes`` (by cause), ``late_share`` (of spikes and errors),
        ``behind`` (handlers of the network's own PEs that began late), ``unmatched`` (errors
        without effect), ``background`` (packets).
    """
    tracer = run.simulation.tracer
    tracer.finish()
    late: dict[str, int] = {kind: tracer.late[kind] for kind in ("spike", "error")}
    sent = tracer.recorder.packets_sent()
    strays = run.strays
    return {
        "late": late,
        "causes": {cause: run.watch.late[cause] for cause in CAUSES},
        "late_share": sum(late.values()) / (sent["spike"] + sent["error"]),
        "behind": run.watch.behind,
        "unmatched": strays.unmatched_errors + strays.passed_errors,
        "background": sent["host"],
    }
