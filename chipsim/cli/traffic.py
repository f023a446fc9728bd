"""``chipsim traffic``: synthetic or recorded traffic on a machine, and latency-load curves."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from chipsim.cli.command import add_json, add_settings, note, print_json
from chipsim.cli.interrupt import second_interrupt_exits
from chipsim.cli.progress import Progress
from chipsim.cli.settings import parse_settings

if TYPE_CHECKING:
    from chipsim.network.traffic import Prepared, TrafficResult

DESCRIPTION = """\
Send traffic through a machine and measure latency and throughput. Open loop: packets are created at
--rate, wait in source queues, and their latency runs from creation to delivery. Measured are the
cycles from --warmup to --cycles; then nothing is created and the network drains, --drain cycles at
most; what has not arrived then is counted as censored. cpu_s leaves compilation out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim traffic``."""
    parser.description = DESCRIPTION
    # Values are taken as text, so that all that is wrong with them is said at once.
    add = parser.add_argument
    add("--machine", required=True, metavar="M", help="mesh-8x8, spinnaker2, ... or PATH.toml")
    add("--pattern", default="uniform", metavar="P", help="where and when, see the list below")
    add("--rate", default="", metavar="R", help="packets per node and cycle")
    add("--sweep-rate", default="", metavar="A:B:STEP", help="a run per rate: the latency curve")
    add("--cycles", default="", metavar="N", help="cycles of injection (default 10000)")
    add("--warmup", default="", metavar="W", help="cycles before measuring (default N/5)")
    add("--drain", default="", metavar="D", help="cycles to drain at most (default N, >= 1000)")
    add("--seed", default="1", metavar="S", help="of all random numbers (default 1)")
    add("--payload-bits", default="0", metavar="B", help="payload of a packet (default 0)")
    add("--transport", default="auto", metavar="T", help="auto, or router: all through it")
    add("--tables", default="fit", metavar="T", help="packet routers': fit, short or trees (none)")
    add("--network", default="compiled", metavar="NET", help="compiled (default) or simpy")
    add("--plot", default="", metavar="FILE", help="draw the sweep (png, pdf, svg; matplotlib)")
    add_settings(parser, "noc.fifo_packets=8 (or unbounded)")
    add_json(parser)
    parser.epilog = _epilog()


def run(arguments: argparse.Namespace) -> int:
    """Run the traffic and print what was measured."""
    from chipsim.network.traffic import Request, prepare

    request = Request(
        settings=parse_settings(arguments.settings),
        sweep=arguments.sweep_rate,
        **{
            field.name: getattr(arguments, field.name)
            for field in fields(Request)
            if field.name not in ("settings", "sweep")
        },
    )
    prepared = prepare(request)
    _compile(arguments.network)
    with second_interrupt_exits():
        if arguments.sweep_rate:
            _sweep(prepared, arguments)
        else:
            _single(prepared, arguments)
    if unread := prepared.machine.description.unread_settings():
        names = ", ".join(row.name for row in unread)
        note(f"chipsim: warning: set, but this traffic rests on no such figure: {names}")
    return 0


def _single(prepared: Prepared, arguments: argparse.Namespace) -> None:
    with Progress(sys.stderr) as progress:
        result = prepared.run(0, progress)
    if arguments.json:
        print_json(result.as_dict())
    else:
        print(_report(result))


def _sweep(prepared: Prepared, arguments: argparse.Namespace) -> None:
    from chipsim.network.traffic import curve

    results = []
    if not arguments.json:
        print("\n".join(curve.header()))
    for index in range(len(prepared.rates)):
        with Progress(sys.stderr) as progress:
            results.append(prepared.run(index, progress))
        if not arguments.json:
            print(curve.row(results[-1]), flush=True)
    if arguments.json:
        print_json([result.as_dict() for result in results])
    if arguments.plot:
        curve.plot(results, Path(arguments.plot))
        note(f"drawn: {arguments.plot}")


def _compile(network: str) -> None:
    """Say so if the kernels must be compiled."""
    if network != "compiled":
        return
    from chipsim.compiled import is_cached
    from chipsim.network.traffic import compile_network

    if not is_cached():
        note("compiling the network, once per version of its sources ...")
    compile_network()


def _report(result: TrafficResult) -> str:
    rows = {name: value for name, value in result.as_dict().items() if value is not None}
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {_shown(value)}" for name, value in rows.items())


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _epilog() -> str:
    from chipsim.network.traffic import PATTERNS
    from chipsim.network.traffic.destinations import Pattern

    lines = ["patterns (arguments: multicast:4, hotspot:node=27,share=0.2):"]
    for name, entry in PATTERNS.items():
        about, parameters = (entry.about, entry.parameters) if isinstance(entry, Pattern) else entry
        given = ", ".join(f"{p.name}={p.default}" for p in parameters)
        lines.append(f"  {name:15} {about}{f' ({given})' if given else ''}")
    return "\n".join(lines)
