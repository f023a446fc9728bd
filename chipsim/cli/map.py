"""``chipsim map``: place and route an application graph, and say what the mapping is like."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from chipsim.cli.command import UsageError, add_json, note, print_json
from chipsim.cli.graphs import HELP, add_subject, read_subject

if TYPE_CHECKING:
    from chipsim.mapping.trial import Trial

METHODS = ("best", "ordered_covering", "pair_merge")

DESCRIPTION = f"""\
Map an application graph: place its vertices on PEs, route its nets, check the result and print
its figures. `chipsim strategies` lists placers, routers and partitioners; docs/mapping.md and
docs/metrics.md explain them and the figures.

{HELP}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim map``."""
    parser.description = DESCRIPTION
    add_subject(parser)
    add = parser.add_argument
    add("--place", metavar="PLACER", default="hilbert", help="default: hilbert; best: try several")
    add(
        "--route",
        metavar="ROUTER",
        help="default: default, or best with `--place best`; best: try several",
    )
    add(
        "--strategy",
        metavar="FILE.py:FUNCTION",
        help="a placer, router or partitioner of your own (docs/own-strategy.md)",
    )
    add(
        "--objective",
        default="both",
        help="what `--place best` and `--route best` make least: tree_hops, max_link_load, both "
        "(hops times load**0.25), mean_link_load, sd_link_load, tree_links, max_depth, "
        "mean_latency_ns, max_latency_ns, energy_nj or table_entries (default: both)",
    )
    add("--seed", metavar="S", type=int, default=0, help="default: 0")
    add("--keys", choices=("by-net", "by-place"), default="by-net", help="in whose order keys go")
    add(
        "--minimise",
        nargs="?",
        const="best",
        choices=METHODS,
        help="minimise the routing tables and check every key (best)",
    )
    add("--table-target", metavar="N", type=int, help="stop minimising a table at N entries")
    add("--simulate", metavar="TICKS", type=int, help="measure in the packet simulator as well")
    add("--tick-us", metavar="US", type=float, help="length of a simulated tick (the machine's)")
    add("--out", metavar="FILE", help="write the mapping (mapping.json)")
    add("--plot", metavar="FILE", help="draw placement and loaded channels (png, pdf, svg)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Map the graph and print the figures."""
    from chipsim.mapping.figures import figures, with_tables

    trial = with_tables(_trial(arguments), arguments.minimise, arguments.table_target)
    found = figures(trial)
    if arguments.simulate is not None:
        from chipsim.sweep.replay import replay

        measured = replay(
            trial.mapping, ticks=arguments.simulate, tick_us=arguments.tick_us, seed=arguments.seed
        )
        found["measured"] = measured.as_dict()
    if arguments.out:
        trial.mapping.write(arguments.out)
    if arguments.plot:
        from chipsim.plots.mapping import save_mapping

        save_mapping(trial.mapping, arguments.plot)
        note(f"drawn: {arguments.plot}")
    if arguments.json:
        print_json(found)
    else:
        print(render(found))
    return 0


def _trial(arguments: argparse.Namespace) -> Trial:
    from dataclasses import replace

    from chipsim.mapping.keys import give_keys
    from chipsim.mapping.portfolio import find

    if arguments.table_target is not None and arguments.minimise is None:
        raise UsageError("--table-target goes with --minimise; give both")
    if arguments.tick_us is not None and arguments.simulate is None:
        raise UsageError("--tick-us goes with --simulate; give both")
    use_own(arguments)
    subject = read_subject(arguments, arguments.seed)
    trial = find(
        subject.application,
        subject.machine,
        arguments.place,
        arguments.route or ("best" if arguments.place == "best" else "default"),
        arguments.seed,
        arguments.objective,
    )
    if arguments.keys != "by-net":
        mapping = trial.mapping
        keys = give_keys(arguments.keys, subject.application, mapping.placement, subject.machine)
        trial = replace(trial, mapping=replace(mapping, keys=keys))
    return trial


def use_own(arguments: argparse.Namespace) -> None:
    """Put a strategy of the user's own (``--strategy``) in the place that its signature says."""
    from chipsim.mapping.own import from_file

    if arguments.strategy is None:
        return
    stage, _ = from_file(arguments.strategy)
    where = {"placer": "place", "router": "route", "partitioner": "partition"}[stage]
    setattr(arguments, where, arguments.strategy)


def render(found: dict[str, Any]) -> str:
    """Return figures as a table for people; those by phase as one of their own."""
    by_phase = found.get("by_phase", {})
    rows = {
        name: value
        for name, value in found.items()
        if name not in ("by_phase", "measured") and value is not None
    }
    width = max(map(len, rows))
    lines = [f"{name:{width}}  {_shown(value)}" for name, value in rows.items()]
    if len(by_phase) > 1:
        lines += ["", *columns(by_phase)]
    if "measured" in found:
        measured = found["measured"]
        total = {f"all of {measured['ticks']} ticks": measured["total"]}
        phases = measured["by_phase"] if len(measured["by_phase"]) > 1 else {}
        lines += ["", "measured", *columns(total | phases)]
    return "\n".join(lines)


def columns(table: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table with a column for each key and a row for each figure."""
    names = list(next(iter(table.values())))
    width = max(map(len, names))
    cells = {key: [_shown(row[name]) for name in names] for key, row in table.items()}
    widths = {key: max(len(key), *map(len, column)) for key, column in cells.items()}
    lines = [" " * width + "".join(f"  {key:>{widths[key]}}" for key in table)]
    for number, name in enumerate(names):
        line = f"{name:{width}}"
        lines.append(line + "".join(f"  {cells[key][number]:>{widths[key]}}" for key in table))
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items()) or "-"
    if isinstance(value, list | tuple):  # the hottest channels: name and load
        return f"{value[0][0]} {_shown(value[0][1])}" if value else "-"
    return str(value)
