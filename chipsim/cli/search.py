"""``chipsim search``: the best settings of an experiment, trial by trial, off the chip."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chipsim.cli.command import UsageError, add_json, add_settings, note, print_json
from chipsim.cli.settings import parse_settings

SHOWN = 10
"""Trials in the table; --csv and --json give all."""

DESCRIPTION = """\
Search an experiment's settings by training it off the chip (Optuna's TPE sampler, the extra
`search`). A trial's value is its mean accuracy on validation samples over the last five epochs.
All trials are in --storage: started again, a search goes on where it was interrupted or killed.
One worker gives the same trials for the same seed; several give the same trainings, but what is
drawn depends on which trial ends first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim search``."""
    parser.description = DESCRIPTION
    add = parser.add_argument
    add("experiment", metavar="EXPERIMENT", help="name of an experiment, or a TOML file")
    add("--trials", type=int, required=True, metavar="N", help="trials in all, earlier ones too")
    add("--workers", type=int, default=1, metavar="K", help="trials at a time (default 1)")
    add("--storage", metavar="FILE", help="where trials are kept (default search-EXPERIMENT.db)")
    add(
        "--param",
        dest="params",
        metavar="NAME[=LOW:HIGH]",
        action="append",
        default=[],
        help="search this setting, for example loss.xi=0.5:3; may be given many times",
    )
    add("--no-prune", action="store_true", help="train every trial to its end")
    add("--csv", metavar="FILE", help="write all trials as a table")
    add("--plot", metavar="FILE", help="draw the search (.png, .pdf, .svg): history and settings")
    add("--weights", metavar="FILE", help="train the best trial again and write its weights")
    add_settings(parser, "train.epochs=10")
    add("--seed", type=int, help="seed of trainings and search, instead of train.seed")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print the best trials."""
    from chipsim.cli.interrupt import second_interrupt_exits
    from chipsim.cli.progress import Progress
    from chipsim.experiment import resolve
    from chipsim.experiment.kinds import SearchOptions

    experiment = resolve(arguments.experiment, parse_settings(arguments.settings), arguments.seed)
    if experiment.kind.search is None:
        raise UsageError(f"search: the experiment {experiment.name!r} offers no search")
    options = SearchOptions(
        trials=arguments.trials,
        workers=arguments.workers,
        storage=Path(arguments.storage or f"search-{experiment.name}.db"),
        params=tuple(arguments.params),
        prune=not arguments.no_prune,
        weights=None if arguments.weights is None else Path(arguments.weights),
    )
    with second_interrupt_exits(), Progress(sys.stderr) as progress:
        result = experiment.kind.search(experiment, options, progress)
    if arguments.csv is not None:
        _write_csv(Path(arguments.csv), result["trials"])
    if arguments.plot is not None:
        _draw(Path(arguments.plot), result)
    if arguments.json:
        print_json(result)
        return 0
    print(report(arguments.experiment, result, arguments.settings))
    for path in (arguments.csv, arguments.plot, arguments.weights):
        if path is not None:
            note(f"written: {path}")
    return 0


def report(name: str, result: Mapping[str, Any], settings: Sequence[str] = ()) -> str:
    """Return the best trials as a table, and how to run the best one on the chip.

    Parameters
    ----------
    name : str
        Name or file of the experiment.
    result : mapping
        What the search returned.
    settings : sequence of str
        What was set besides, as ``section.key=value``.
    """
    rows: Sequence[Mapping[str, Any]] = result["trials"]
    states = ("complete", "pruned", "failed", "running")
    counts = [(sum(row["state"] == state for row in rows), state) for state in states]
    title = ", ".join(f"{count} {state}" for count, state in counts if count)
    done = [row for row in rows if row["state"] == "complete"]
    done.sort(key=lambda row: (-row["value"], row["trial"]))
    head = ["trial", "accuracy", *result["params"]]
    cells = [
        [str(row["trial"]), f"{100 * row['value']:.2f} %"]
        + [f"{row[param]:.4g}" for param in result["params"]]
        for row in done[:SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = [f"{name}, seed {result['seed']}: {len(rows)} trials: {title}", ""]
    lines += [
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in (head, *cells)
    ]
    best = result["best"]
    if best is not None:
        words = [*settings, *(f"{param}={best[param]!r}" for param in result["params"])]
        command = ["chipsim", "run", name, "--seed", str(result["seed"])]
        for word in words:
            command += ["--set", word]
        lines += ["", "the best one on the chip:", f"  {shlex.join(command)}"]
    return "\n".join(lines)


def _draw(path: Path, result: Mapping[str, Any]) -> None:
    from chipsim.plots import search_figure

    figure = search_figure(result)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"--plot {path}: cannot be written: {reason}") from error


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(rows[0] if rows else [])
            for row in rows:
                table.writerow(
                    "" if v is None else repr(v) if isinstance(v, float) else v
                    for v in row.values()
                )
    except OSError as error:
        raise UsageError(f"--csv {path}: cannot be written: {error.strerror}") from error
