"""One trial of a search: off-chip training with some settings, here or in a worker process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection

from chipsim.errors import ChipsimError
from eventprop_apps.described import initial_weights_of, model_of
from eventprop_apps.experiment import TrainingModel
from eventprop_apps.offchip.trainer import Trainer, TrainSettings


def offchip_trainer(values: TrainingModel, seed: int) -> Trainer:
    """Return an off-chip trainer that does what ``chipsim run`` with these values does.

    Parameters
    ----------
    values : TrainingModel
        An experiment's sections; the machine's play no part.
    seed : int
        Of initial weights and of the order of samples.

    Notes
    -----
    Validation samples are the published ones, or else held-out training samples; test samples are
    not looked at.
    """
    model = model_of(values)
    settings = TrainSettings(
        epochs=values.train.epochs,
        batch=values.train.batch,
        optimiser=values.optimizer.settings(values.train.epochs),
        clip_norm=values.optimizer.clip_norm,
    )
    weights = initial_weights_of(values, model, seed)
    train, held = values.search_samples()
    return Trainer(weights, train, None, settings, seed=seed, validation=held, model=model)


def learning_curve(values: TrainingModel, seed: int) -> Iterator[float]:
    """Train, and yield the validation accuracy after every epoch."""
    trainer = offchip_trainer(values, seed)
    while not trainer.stopped:
        accuracy = trainer.run_epoch().validation_accuracy
        assert accuracy is not None
        yield accuracy


def work(connection: Connection) -> None:
    """Serve trials until the other end is closed: what a worker process does.

    It receives ``(values, seed)``, sends ``("epoch", accuracy)`` and waits for a word whether to
    go on, and ends with ``("done", "")``, or ``("failed", why)`` where the settings do not fit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    try:
        while True:
            values, seed = connection.recv()
            try:
                for accuracy in learning_curve(values, seed):
                    connection.send(("epoch", accuracy))
                    if not connection.recv():
                        break
                connection.send(("done", ""))
            except ChipsimError as error:
                connection.send(("failed", str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent has ended, or was killed
