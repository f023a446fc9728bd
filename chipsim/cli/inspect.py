"""``chipsim inspect``: what a run's trace answers, as tables."""

from __future__ import annotations

import argparse
import re

from chipsim.cli.command import UsageError, add_json, note, print_json

DESCRIPTION = """\
Show what a run's trace tells: latencies, the slowest packets and where they waited, the hottest
channels and who loads them, busy PEs, late packets, costs. RUN is a directory that
`chipsim run --out` has written; with --set trace.level=packets or hops it holds a trace.

  chipsim inspect RUN latency --by route,kind    one question
  chipsim inspect RUN --packet 13:222            one packet's life, hop by hop"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``chipsim inspect``."""
    parser.description = DESCRIPTION
    parser.epilog = (
        "questions: latency, slowest, waited, channels, users, queues, pes, operations, late, cost"
    )
    parser.add_argument("run", metavar="RUN", help="a run's directory")
    parser.add_argument("questions", metavar="QUESTION", nargs="*", help="all, if none is named")
    parser.add_argument(
        "--by",
        default="kind,phase",
        help="group latencies by kind, phase, hops, route, source, destination, net, batch",
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="rows of long lists (5)")
    parser.add_argument(
        "--packet", metavar="SOURCE:SEQ", help="tell one packet's life, named as in `slowest`"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the answers; notes on the run go to standard error."""
    from chipsim.analysis.inspect import packet_sections, render, sections
    from chipsim.analysis.run import open_run

    opened = open_run(arguments.run)
    if arguments.packet is not None:
        if arguments.questions:
            raise UsageError("chipsim inspect: give either --packet or questions, not both")
        found = packet_sections(opened, *_packet(arguments.packet))
    else:
        by = [name.strip() for name in arguments.by.split(",") if name.strip()]
        found = sections(opened, arguments.questions, by, arguments.top)
    for text in opened.notes:
        note(f"chipsim: note: {text}")
    if arguments.json:
        answers = {section.name: section.as_json() for section in found}
        print_json({"run": str(opened.path), "notes": list(opened.notes), "answers": answers})
    else:
        print("\n\n".join(render(section) for section in found))
    return 0


def _packet(word: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,9}:\d{1,18}", word):
        raise UsageError(
            f"--packet: got {word!r}, expected SOURCE:SEQ, the source's vertex and the packet's "
            "number, for example 13:222; `chipsim inspect RUN slowest` shows some"
        )
    source, seq = word.split(":")
    return int(source), int(seq)
