"""How far a training is and what it has reached: told after every batch, and between ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from eventprop_apps.tally import Epoch

if TYPE_CHECKING:
    from eventprop_apps.training import TrainingRun


class TrainingReport:
    """Tells a run's ``progress``; a probe that only looks.

    Parameters
    ----------
    run : TrainingRun
    """

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self.live = bool(getattr(run.progress, "live", False))

    def batch_done(self, epoch: Epoch, epoch_done: bool) -> dict[str, Any]:
        """Tell of a finished batch; return what is told of an epoch, or of the batch."""
        run = self._run
        values: dict[str, Any] = {"epoch": len(run.epochs), "epochs": run.values.train.epochs}
        if epoch_done:
            values |= {
                "test_accuracy": epoch.test.accuracy,
                "train_accuracy": epoch.train.accuracy,
                "loss": epoch.train.loss / max(1, epoch.batches),
                **self.by_head(epoch),
            }
        else:
            values |= {"batch": epoch.batches, "batches": run.per_epoch}
        values |= self._so_far(int(run.chip.simulation.env.now))
        run.progress({**values, **self._traffic()})
        return values

    def on_tick(self, tick: int, time_ps: int) -> None:
        """Tell a terminal, or a machine, how far the batch is; only when it is due."""
        run = self._run
        if not cast(Any, run.progress).due():
            return
        new = run.between_epochs
        epoch = Epoch() if new else run.epochs[-1]
        run.progress(
            {
                "epoch": len(run.epochs) + new,
                "epochs": run.values.train.epochs,
                "batch": epoch.batches,
                "batches": run.per_epoch,
                **self._so_far(time_ps),
                **self._traffic(),
            }
        )

    def by_head(self, epoch: Epoch) -> dict[str, float]:
        """Return the accuracies of each head, by the names of the labels; none for one alone."""
        return {
            f"{what}_accuracy_{name}": share
            for what, tally in (("test", epoch.test), ("train", epoch.train))
            for name, share in zip(self._run.values.loss.heads or (), tally.by_head, strict=False)
        }

    def _so_far(self, time_ps: int) -> dict[str, Any]:
        packets = sum(self._run.recorder.packets_sent().values())
        return {"simulated_s": time_ps / 1e12, "packets": packets}

    def _traffic(self) -> dict[str, int]:
        """Return copies on their way and packets consumed late, if anybody looks."""
        if not self.live:
            return {}
        simulation = self._run.chip.simulation
        return {
            "in_flight": int(simulation.network.counters().in_flight),
            "late": sum(simulation.tracer.late.values()),
        }
