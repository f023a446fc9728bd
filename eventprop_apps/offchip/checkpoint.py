"""Checkpoints of off-chip training: a killed run continues and ends with the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DataError
from chipsim.trace.files import npz_bytes
from eventprop_apps.data.dataset import Dataset
from eventprop_apps.offchip.trainer import EpochRecord, Trainer
from eventprop_apps.offchip.weights import read_arrays, replace_file

FORMAT = "eventprop-checkpoint/1"
"""Version of the file's layout."""
OPTIMISER = "optimiser."
"""Begins the names of the optimiser's arrays."""


def save_checkpoint(path: str | Path, trainer: Trainer) -> None:
    """Write a trainer's state between two epochs to an ``.npz`` file, replaced at once.

    Parameters
    ----------
    path : str or Path
    trainer : Trainer

    Notes
    -----
    Equal states give equal bytes. Data are not in it, only a hash of them.
    """
    state = trainer.state()
    arrays: dict[str, NDArray[Any]] = {"weights": state["weights"], "best": state["best"]}
    about: dict[str, Any] = {
        "format": FORMAT,
        "what": describe(trainer),
        "best_epoch": state["best_epoch"],
        "history": [asdict(record) for record in state["history"]],
        "optimiser": {},
    }
    for name, value in state["optimiser"].items():
        if isinstance(value, np.ndarray):
            arrays[OPTIMISER + name] = value
        else:
            about["optimiser"][name] = value
    text = json.dumps(about, sort_keys=True).encode()
    arrays["about"] = np.frombuffer(text, np.uint8)
    replace_file(Path(path), npz_bytes(arrays))


def load_checkpoint(path: str | Path, trainer: Trainer) -> None:
    """Continue a trainer from a file that `save_checkpoint` wrote.

    Parameters
    ----------
    path : str or Path
    trainer : Trainer
        Made with the same settings (but for ``epochs``), data, sizes and seed; changed in place.

    Raises
    ------
    DataError
        If the file is missing, broken, or of another training; the message names what differs.
    """
    path = Path(path)
    arrays = read_arrays(path)
    try:
        about = json.loads(arrays.pop("about").tobytes())
        found, kind = about["what"], about["format"]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no checkpoint of a training, or a broken one") from error
    if kind != FORMAT:
        raise DataError(f"{path}: got format {kind!r}, this version reads {FORMAT!r}")
    own = json.loads(json.dumps(describe(trainer)))
    names = dict.fromkeys([*own, *found])
    other = [
        f"{n} = {found.get(n)} (now {own.get(n)})" for n in names if found.get(n) != own.get(n)
    ]
    if other:
        raise DataError(
            f"{path}: is of another training: {'; '.join(other)}; take what it was made with, or "
            "another file"
        )
    history = [
        EpochRecord(**{**row, "spikes_per_sample": tuple(row["spikes_per_sample"])})
        for row in about["history"]
    ]
    optimiser = {n.removeprefix(OPTIMISER): a for n, a in arrays.items() if n.startswith(OPTIMISER)}
    trainer.restore(
        {
            "weights": arrays["weights"],
            "best": arrays["best"],
            "best_epoch": about["best_epoch"],
            "history": history,
            "optimiser": optimiser | about["optimiser"],
        }
    )


def train(
    trainer: Trainer,
    checkpoint: str | Path,
    progress: Callable[[EpochRecord], None] | None = None,
) -> list[EpochRecord]:
    """Train the epochs that are missing, with a checkpoint after each.

    Parameters
    ----------
    trainer : Trainer
        A fresh one; if the file exists, it continues from there.
    checkpoint : str or Path
    progress : callable, optional
        Called with every new epoch's record, once its checkpoint is on the disk.

    Returns
    -------
    list of EpochRecord
        Of all epochs. Weights, history and file are the same however often the run was killed.
    """
    if Path(checkpoint).exists():
        load_checkpoint(checkpoint, trainer)
    while not trainer.stopped:
        record = trainer.run_epoch()
        save_checkpoint(checkpoint, trainer)
        if progress is not None:
            progress(record)
    return trainer.history


def describe(trainer: Trainer) -> dict[str, Any]:
    """Return what decides a training's course, but for its number of epochs, by name."""
    s, model = trainer.settings, trainer.given_model
    network = {} if model is None else {"network": repr(model)}
    return network | {
        "sizes": list(trainer.model.sizes),
        "seed": trainer.seed,
        "batch": s.batch,
        "drop_last": s.drop_last,
        "factors": [s.factors, s.dt_ms, s.tau_mem_ms, s.tau_syn_ms],
        "loss": repr(s.loss),
        "optimiser": repr(s.optimiser or s.adam),
        "clip_norm": s.clip_norm,
        "patience": s.patience,
        "dtype": str(np.dtype(s.dtype)),
        "train": _digest(trainer.train_set),
        "validation": _digest(trainer.validation_set),
        "test": _digest(trainer.test_set),
    }


def _digest(data: Dataset | None) -> str | None:
    """Return a set's name and 16 hex digits over its spikes and labels."""
    if data is None:
        return None
    e = data.events
    found = hashlib.blake2b(f"{e.n_in} {e.steps}".encode(), digest_size=8)
    for array in (data.label, e.index, e.step, e.start, e.stop):
        found.update(np.ascontiguousarray(array).tobytes())
    if data.wanted is not None:
        found.update(np.ascontiguousarray(data.wanted).tobytes())
    return f"{data.name} {found.hexdigest()}"
