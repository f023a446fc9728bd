"""``chipsim compare``: placers × routers × seeds on one application and machine."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chipsim.cli.command import UsageError, add_json, note, print_json
from chipsim.cli.graphs import HELP, add_subject, is_experiment, read_subject

if TYPE_CHECKING:
    from chipsim.machine.model import Machine
    from chipsim.mapping import Application
    from chipsim.sweep.compare import Grid

DESCRIPTION = f"""\
Compare strategies: every placer with every router and seed, on one application and machine. The
table has the median over the seeds; * marks the rows that no other beats in both figures of
--pareto. --simulate measures each mapping in the packet simulator, all on the same packets.

{HELP}"""

STATIC = ("tree_hops", "max_link_load", "sd_link_load", "max_depth", "table_entries")
SIMULATED = ("measured_latency_p99_ns", "measured_late", "measured_tick_use_max")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim compare``."""
    parser.description = DESCRIPTION
    add_subject(parser)
    add = parser.add_argument
    add(
        "--placers",
        metavar="A,B,...",
        default="",
        help="default: all but the slow (annealing ..., multilevel ..., in_the_loop)",
    )
    add("--routers", metavar="A,B,...", default="", help="default: default, ner, ldf, xy, steiner")
    add("--seeds", metavar="0,1,...", default="0", help="numbers, or a range 0-4 (default 0)")
    add(
        "--strategy",
        metavar="FILE.py:FUNCTION",
        action="append",
        default=[],
        help="add a placer or router of your own; may be given many times",
    )
    add("--minimise", nargs="?", const="best", metavar="METHOD", help="minimise routing tables")
    add("--simulate", metavar="TICKS", type=int, default=0, help="measure this many ticks each")
    add("--tick-us", metavar="US", type=float, help="length of a simulated tick (the machine's)")
    add("--workers", metavar="N", type=int, default=1, help="processes (1)")
    add("--pareto", metavar="X,Y", help="two figures (tree_hops,max_link_load)")
    add("--plot", metavar="FILE", help="draw the two figures of --pareto (png, pdf, svg)")
    add("--csv", metavar="FILE", help="write all rows, a mapping a line")
    add_json(parser)


@dataclass(frozen=True)
class Source:
    """Reads application and machine from a command's arguments, in whatever process."""

    arguments: argparse.Namespace

    def __call__(self) -> tuple[Application, Machine]:
        """Return them."""
        subject = read_subject(self.arguments, 0)
        return subject.application, subject.machine


def run(arguments: argparse.Namespace) -> int:
    """Make the mappings and print the table."""
    from pathlib import Path

    from chipsim.sweep.compare import as_csv, compare, summarise

    grid = _grid(arguments)
    x, y = _pareto(arguments)
    rows = compare(Source(arguments), grid, arguments.workers, _told(arguments))
    summary = summarise(rows)
    known = [name for name in summary[0] if name not in ("placer", "router", "seeds")]
    for name in (x, y):
        if name not in known:
            from chipsim.errors import did_you_mean

            raise UsageError(f"--pareto: unknown figure {name!r}{did_you_mean(name, known)}")
    for row in rows:
        if not row["valid"]:
            note(f"{row['placer']} and {row['router']}, seed {row['seed']}: {row['error']}")
    if arguments.csv:
        Path(arguments.csv).write_text(as_csv(rows), encoding="utf-8")
    if arguments.plot:
        _plot(summary, x, y, arguments.plot)
    if arguments.json:
        print_json({"rows": rows, "summary": summary})
    else:
        print(render(summary, x, y, bool(grid.simulate)))
    return 0 if all(row["valid"] for row in rows) else 1


def _grid(arguments: argparse.Namespace) -> Grid:
    from chipsim.mapping import strategies
    from chipsim.mapping.own import from_file
    from chipsim.sweep.compare import Grid

    own: dict[str, list[str]] = {"placer": [], "router": [], "partitioner": []}
    for word in arguments.strategy:
        own[from_file(word)[0]].append(word)
    if own["partitioner"]:
        raise UsageError("--strategy: a partitioner goes with --partition FILE.py:FUNCTION")
    placers = _words(arguments.placers) or [
        name
        for name in strategies.names("placer")
        if not name.startswith(_SLOW)
        and (name not in _FOR_REPLICAS or is_experiment(arguments.graph))
    ]
    routers = _words(arguments.routers) or list(_ROUTERS)
    if arguments.simulate < 0:
        raise UsageError(f"--simulate: got {arguments.simulate}; expected ticks, at least 1")
    return Grid(
        (*placers, *own["placer"]),
        (*routers, *own["router"]),
        tuple(_seeds(arguments.seeds)),
        arguments.minimise,
        arguments.simulate,
        arguments.tick_us,
    )


_SLOW = ("annealing", "multilevel", "in_the_loop")
"""How the names of placers begin that a comparison leaves out unless they are named."""

_FOR_REPLICAS = ("paper",)
"""Placers that want replicas of one size: left out too, but for experiments, which have them."""

_ROUTERS = ("default", "ner", "ldf", "xy", "steiner")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for word in _words(text):
        first, dash, last = word.partition("-")
        try:
            found += range(int(first), int(last) + 1) if dash else [int(first)]
        except ValueError:
            raise UsageError(
                f"--seeds: got {word!r}; expected numbers such as 0,1,2 or a range such as 0-4"
            ) from None
    return found


def _pareto(arguments: argparse.Namespace) -> tuple[str, str]:
    if arguments.pareto is None:
        return "tree_hops", "measured_latency_p99_ns" if arguments.simulate else "max_link_load"
    words = _words(arguments.pareto)
    if len(words) != 2:
        raise UsageError(f"--pareto: got {arguments.pareto!r}; expected two figures: X,Y")
    return words[0], words[1]


def _told(arguments: argparse.Namespace) -> Any:
    import sys

    if arguments.json or not sys.stderr.isatty():
        return None
    return lambda done, of: note(f"{done} of {of} mappings")


def render(summary: Sequence[Mapping[str, Any]], x: str, y: str, simulated: bool) -> str:
    """Return the table for people: medians, the Pareto front marked."""
    from chipsim.sweep.compare import front

    best = set(front(summary, x, y))
    names = list(dict.fromkeys([*STATIC, *(SIMULATED if simulated else ()), x, y]))
    head = ["", "placer", "router", *names, "place_s", "route_s"]
    table = [head]
    for number, row in enumerate(summary):
        figures = [f"{row[name]:.6g}" for name in names]
        times = [f"{row[name]:.3f}" for name in ("place_s", "route_s")]
        mark = "*" if number in best else ""
        table.append([mark, row["placer"], row["router"], *figures, *times])
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    lines = []
    for line in table:
        cells = [
            word.ljust(width) if column < 3 else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    seeds = summary[0]["seeds"]
    return "\n".join([*lines, "", f"* not beaten in {x} and {y}; medians of {seeds} seed(s)"])


def _plot(summary: Sequence[Mapping[str, Any]], x: str, y: str, path: str) -> None:
    from chipsim.errors import ChipsimError

    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChipsimError("--plot needs matplotlib: pip install 'chipsim[plots]'") from error
    from chipsim.plots import pareto

    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    points = [{**row, "strategy": f"{row['placer']}, {row['router']}"} for row in summary]
    pareto(points, x, y, "strategy", figure.add_subplot())
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ChipsimError(f"--plot {path}: cannot be written: {error}") from error
    note(f"drawn: {path}")
