"""``chipsim search``: settings searched off the chip with Optuna, every trial kept in a file.

Only this process touches the file; workers train and report. So a kill at any moment leaves
finished trials finished, and those under way are run again with their own settings.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from chipsim.errors import ChipsimError, DataError, PluginError
from chipsim.experiment.kinds import Experiment, Progress, SearchOptions
from chipsim.experiment.model import flatten
from chipsim.seeds import derive
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.offchip.weights import save_weights
from eventprop_apps.search_space import Range, chosen_space, with_settings
from eventprop_apps.search_trial import learning_curve, offchip_trainer, work

LAST_EPOCHS = 5
"""A trial's value is the mean validation accuracy of so many last epochs (or of all)."""
STARTUP = 10
"""Trials drawn at random before the sampler learns from them."""
SQLITE = b"SQLite format 3\0"
NO_PART = ("machine.", "mapping.", "network.", "tick.", "trace.", "data.test_")
"""Settings that a search may change its mind about: they play no part off the chip."""


def search(experiment: Experiment, options: SearchOptions, progress: Progress) -> dict[str, Any]:
    """Run the trials that are missing and return all.

    Parameters
    ----------
    experiment : Experiment
        What is not searched; its seed is also the search's.
    options : SearchOptions
    progress : callable
        Called after every epoch of every trial, and at a trial's end.

    Returns
    -------
    dict
        ``trials``: a row a trial with ``trial``, ``state`` (complete, pruned, failed), ``value``,
        ``epochs`` and the searched settings; ``best``: the best row or None; ``seed``; ``params``.

    Raises
    ------
    DataError
        For options out of range, or a file that is none, is of another search or in use.
    PluginError
        If Optuna is not installed.
    """
    values = cast(TrainingModel, experiment.values)
    if options.trials < 1 or options.workers < 1:
        raise DataError(
            f"search: got {options.trials} trials and {options.workers} workers, expected at "
            "least 1 of each"
        )
    space = chosen_space(
        options.params, values.loss.form if values.loss.name == "ttfs" else values.loss.name
    )
    with _lock(options.storage):
        study = _study(options.storage)
        _same_search(study, options.storage, _description(experiment, space))
        run = SearchRun(study, values, experiment.seed, space, options, progress)
        if options.workers == 1:
            run.here()
        else:
            run.in_workers()
        rows = run.rows()
    done = [row for row in rows if row["state"] == "complete"]
    best = max(done, key=lambda row: (row["value"], -row["trial"]), default=None)
    if options.weights is not None:
        if best is None:
            raise DataError(
                f"search: no trial of {len(rows)} was trained to its end, so there is no best one "
                f"whose weights {options.weights} could get; give more --trials"
            )
        chosen = with_settings(values, {name: best[name] for name in space})
        trainer = offchip_trainer(chosen, experiment.seed)
        trainer.run()
        save_weights(options.weights, trainer.weights)
    return {"seed": experiment.seed, "params": list(space), "trials": rows, "best": best}


class SearchRun:
    """The trials of a search.

    Parameters
    ----------
    study : optuna.Study
    values : TrainingModel
        What is not searched.
    seed : int
        Of the trials' trainings and of the sampler.
    space : dict of str to Range
    options : SearchOptions
    progress : callable
    """

    def __init__(
        self,
        study: Any,
        values: TrainingModel,
        seed: int,
        space: dict[str, Range],
        options: SearchOptions,
        progress: Progress,
    ) -> None:
        self.study, self.values, self.seed, self.space = study, values, seed, space
        self.options, self.progress = options, progress
        self._queue = self._trials()

    # ------------------------------------------------------------------------------- running
    def here(self) -> None:
        """Run trial by trial in this process."""
        for trial in self._queue:
            curve: list[float] = []
            pruned, reason = False, ""
            try:
                for accuracy in learning_curve(self._settings(trial), self.seed):
                    pruned = not self._go_on(trial, curve, accuracy)
                    if pruned:
                        break
            except ChipsimError as error:
                reason = str(error)
            self._finish(trial, curve, pruned, reason)

    def in_workers(self) -> None:
        """Run several trials at a time, each in a process."""
        context = multiprocessing.get_context("spawn")  # the same on every system
        processes: list[tuple[Any, Any]] = []
        busy: dict[Any, Any] = {}
        try:
            for _ in range(self.options.workers):
                own, other = context.Pipe()
                process = context.Process(target=work, args=(other,), daemon=True)
                process.start()
                other.close()  # else this end would never see that the worker has died
                processes.append((process, own))
                self._give(own, busy)
            while busy:
                for ready in wait(list(busy)):
                    self._listen(cast(Connection, ready), busy)
        finally:
            for process, own in processes:
                own.close()
                process.terminate()
                process.join()

    def _give(self, connection: Any, busy: dict[Any, Any]) -> None:
        """Send the next trial to a worker that has none."""
        trial = next(self._queue, None)
        if trial is None:
            busy.pop(connection, None)
            return
        busy[connection] = (trial, [], [False])
        connection.send((self._settings(trial), self.seed))

    def _listen(self, connection: Connection, busy: dict[Any, Any]) -> None:
        """Take one message of a worker."""
        trial, curve, pruned = busy[connection]
        try:
            kind, what = connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise DataError(
                f"search: the worker of trial {trial.number} has died (out of memory?); what is "
                "finished is kept: start the search again, with fewer workers"
            ) from error
        if kind == "epoch":
            pruned[0] = not self._go_on(trial, curve, what)
            connection.send(not pruned[0])
        else:
            self._finish(trial, curve, pruned[0], what)
            self._give(connection, busy)

    # -------------------------------------------------------------------------------- trials
    def _trials(self) -> Iterator[Any]:
        """Yield the trials that a kill has cut off, then new ones until there are enough."""
        from optuna.trial import Trial, TrialState

        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            yield Trial(self.study, frozen._trial_id)  # under its own number: nothing is lost
        while len(self.study.get_trials(deepcopy=False)) < self.options.trials:
            yield self.study.ask()

    def _settings(self, trial: Any) -> TrainingModel:
        """Return a trial's settings: what the file has of them, or else drawn.

        Every draw has a stream of its own, named by trial and setting. So what a search draws
        does not depend on whether it was cut off, not even in the middle of a trial's draws.
        """
        import optuna

        chosen = {}
        for name, bounds in self.space.items():
            self.study.sampler = optuna.samplers.TPESampler(
                seed=derive(self.seed, "search", trial.number, name) % 2**32,
                n_startup_trials=STARTUP,
                multivariate=False,
                constant_liar=self.options.workers > 1,
            )
            chosen[name] = trial.suggest_float(name, bounds.low, bounds.high, log=bounds.log)
        return with_settings(self.values, chosen)

    def _go_on(self, trial: Any, curve: list[float], accuracy: float) -> bool:
        """Note an epoch's accuracy; return whether the trial is worth another epoch."""
        curve.append(accuracy)
        known = self.study._storage.get_trial(trial._trial_id).intermediate_values
        step = len(curve)
        if step not in known:
            trial.report(accuracy, step)
        epochs = self.values.train.epochs
        self._tell(trial, {"epoch": step, "epochs": epochs, "validation": accuracy})
        # A trial that is through is complete; of one that was cut off, only the last epoch on file
        # is undecided.
        decided = step == epochs or step < max(known, default=0)
        return decided or not (self.options.prune and trial.should_prune())

    def _finish(self, trial: Any, curve: list[float], pruned: bool, reason: str) -> None:
        from optuna.trial import TrialState

        if reason:
            trial.set_user_attr("reason", reason)
            self.study.tell(trial, state=TrialState.FAIL)
            self._tell(trial, {"accuracy": "none", "failed": reason})
        elif pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            self._tell(trial, {"accuracy": curve[-1], "pruned_after_epoch": len(curve)})
        else:
            last = curve[-LAST_EPOCHS:]
            self.study.tell(trial, sum(last) / len(last))
            self._tell(trial, {"accuracy": sum(last) / len(last)})

    def _tell(self, trial: Any, values: dict[str, Any]) -> None:
        """Report progress; values with an accuracy are a trial's end and stay on the screen."""
        many = max(self.options.trials, trial.number + 1)
        self.progress({"trial": trial.number + 1, "trials": many, **values})

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a trial, in the order of their numbers."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        return [
            {
                "trial": frozen.number,
                "state": names.get(frozen.state.name, "running"),
                "value": frozen.value,
                "epochs": max(frozen.intermediate_values, default=0),
                **{name: frozen.params.get(name) for name in self.space},
            }
            for frozen in self.study.get_trials(deepcopy=False)
        ]


def _study(storage: Path) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise PluginError(
            "search: needs Optuna, which is not installed; pip install 'chipsim[search]'"
        ) from error
    if storage.exists() and storage.stat().st_size and not storage.read_bytes().startswith(SQLITE):
        raise DataError(f"{storage}: is no file of a search; give another --storage")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="chipsim",
        storage=f"sqlite:///{storage.resolve()}",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=0),  # replaced for every draw
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
    )


def _description(experiment: Experiment, space: dict[str, Range]) -> dict[str, Any]:
    """Return what decides a search's course, by name."""
    table = dict(flatten(experiment.table()))
    fixed = {n: v for n, v in table.items() if n not in space and not n.startswith(NO_PART)}
    ranges = {f"search.{n}": [r.low, r.high, r.log] for n, r in space.items()}
    return cast(dict[str, Any], json.loads(json.dumps(fixed | ranges)))


def _same_search(study: Any, storage: Path, own: dict[str, Any]) -> None:
    """Refuse to mix trials of different searches in one file."""
    found = study.user_attrs.get("settings")
    if found is None:
        study.set_user_attr("settings", own)
        return
    other = [
        f"{name} = {found.get(name)!r} (now {own.get(name)!r})"
        for name in sorted({*found, *own})
        if found.get(name) != own.get(name)
    ]
    if other:
        raise DataError(
            f"{storage}: holds another search: {'; '.join(other)}; take its settings, or give "
            "another --storage"
        )


@contextmanager
def _lock(storage: Path) -> Iterator[None]:
    """Hold the search's file; the system lets go of it when the process ends, however."""
    path = storage.with_name(f"{storage.name}.lock")
    try:
        handle = path.open("ab")
    except OSError as error:
        raise DataError(f"{storage}: cannot be written: {error.strerror}") from error
    with handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on this system: two searches are not kept apart
            pass
        except OSError as error:
            raise DataError(
                f"{storage}: another process searches with it; wait for its end, or give another "
                "--storage"
            ) from error
        yield  # the lock file stays: taking it away could take it from a search that just began
