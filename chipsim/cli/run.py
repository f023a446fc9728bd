"""``chipsim run``: an experiment by name or from a file, with progress and a final table."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from chipsim import registry
from chipsim.cli.command import UsageError, add_json, add_settings, note, notes_as_json
from chipsim.cli.settings import parse_settings

if TYPE_CHECKING:
    from chipsim.trace.rundir import RunDirectory

NETWORKS = ("compiled", "simpy")

DESCRIPTION = """\
Run an experiment: one that is installed (chipsim run yinyang) or a TOML file.

Every setting of its file can be changed: --set train.epochs=1 --set machine.noc.hop_cycles=6.
Progress goes to standard error, the result to standard output. Ctrl-C ends the run, leaves --out
readable and marks it as interrupted; a second Ctrl-C ends it at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim run``; the help names the experiments installed."""
    parser.description = DESCRIPTION
    parser.epilog = f"installed: {', '.join(registry.entries('chipsim.experiments'))}"
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", help="name of an experiment, or a TOML file"
    )
    add_settings(parser, "train.epochs=1")
    parser.add_argument("--seed", type=int, help="seed of the run, instead of train.seed")
    parser.add_argument("--network", choices=NETWORKS, help="short for --set network.model=...")
    parser.add_argument("--out", metavar="DIR", help="write the run's directory here")
    parser.add_argument(
        "--force", action="store_true", help="replace an earlier run that stands in --out"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out that was killed or interrupted, from its checkpoint",
    )
    parser.add_argument(
        "--no-report", action="store_true", help="write no report.html at the run's end"
    )
    parser.add_argument(
        "--log-json",
        action="store_true",
        help="progress and notes as JSON, one object a line, on standard error",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment and print its result."""
    from chipsim.cli.interrupt import second_interrupt_exits
    from chipsim.cli.progress import Progress
    from chipsim.cli.summary import render
    from chipsim.experiment import resolve
    from chipsim.trace.files import summary_bytes
    from chipsim.trace.rundir import RunDirectory

    notes_as_json(arguments.log_json)
    settings = parse_settings(arguments.settings)
    if arguments.network is not None:
        settings["network.model"] = arguments.network
    experiment = resolve(arguments.experiment, settings, arguments.seed)
    _announce_compilation()
    progress = Progress(sys.stderr, arguments.log_json)
    if arguments.resume and (arguments.out is None or arguments.force):
        raise UsageError(
            "--resume goes on with the run that stands in --out: give --out DIR, without --force"
        )
    out = None
    if arguments.out is not None:
        out = (
            RunDirectory.resume(arguments.out)
            if arguments.resume
            else RunDirectory.create(arguments.out, force=arguments.force)
        )
    try:
        with out or nullcontext(), second_interrupt_exits(), progress:
            if out is not None and out.resumes:
                out.check_experiment(experiment.table())
            elif out is not None:
                out.write_experiment(experiment.table(), experiment.comments())
            summary = experiment.kind.run(experiment, out, progress)
            if out is not None:
                out.finish(summary)
    except KeyboardInterrupt:
        if out is not None and not arguments.no_report:
            _report(out)
        raise
    if out is not None and not arguments.no_report:
        _report(out)
    if arguments.json:
        sys.stdout.write(summary_bytes(summary).decode())
    else:
        print(render(experiment.name, summary))
        if out is not None:
            print(f"\nwritten to {out.path}")
    return 0


def _report(out: RunDirectory) -> None:
    """Write the run's page; the run is over, so what hinders it costs a line and no result."""
    from chipsim.analysis.report.page import write_report
    from chipsim.analysis.run import open_run
    from chipsim.errors import ChipsimError
    from chipsim.trace.layout import REPORT

    try:
        write_report([open_run(out.path)], out.path / REPORT)
    except ChipsimError as error:
        note(f"chipsim: no report: {error}")


def _announce_compilation() -> None:
    from chipsim.compiled import is_cached

    if not is_cached():
        note("compiling kernels; later runs take them from the cache")
