"""How long machines take to build, and what they hold: the table in docs/machines.md.

    python tests/benchmarks/machine_build.py [NAME ...]

Each machine is built in a process of its own, after a small one of its family (which reads the
description and synthesises the look-up tables, once a process). CPU seconds; peak memory is that of
the whole process less what it had before the build.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import time

import numpy as np

from chipsim.machine.library import load_machine
from chipsim.machine.model import EndpointKind, Machine

NAMES = (
    "spinnaker2",
    "spinnaker2-48",
    "spinnaker2-triads-1x1",
    "spinnaker2-triads-6x8",
    "spinnaker1-48",
    "spinnaker1-torus-240x240",
    "spinnaker1-torus-256x256",
    "hex-torus-1000x1000",
    "mesh-1000x1000",
)


SMALL = {
    "spinnaker1": "spinnaker1",
    "spinnaker2": "spinnaker2",
    "hex": "hex-torus-3x3",
    "mesh": "mesh-2x2",
    "torus": "torus-3x3",
}
"""A small machine of each family, by the beginning of the name."""


def array_bytes(machine: Machine) -> int:
    """Return the bytes of a machine's arrays, its chips' and its behaviour's included."""
    held: dict[int, int] = {}
    holders: list[object] = [machine]
    if machine.chips is not None:
        holders += [machine.chips, machine.chips.layout]
    if machine.behaviour is not None:
        holders.append(machine.behaviour)
    for holder in holders:
        for field in dataclasses.fields(holder):  # type: ignore[arg-type]
            value = getattr(holder, field.name)
            if isinstance(value, np.ndarray):
                held[id(value)] = value.nbytes
    return sum(held.values())


def measure(name: str) -> dict[str, float]:
    """Return the figures of one machine, built in this process."""
    load_machine(SMALL[name.partition("-")[0]])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    machine = load_machine(name)
    seconds = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "chips": 1 if machine.chips is None else len(machine.chips),
        "cores": int((machine.endpoint_kind == EndpointKind.PE).sum()),
        "nodes": machine.nodes,
        "channels": machine.channels,
        "seconds": seconds,
        "array_bytes": array_bytes(machine),
        "peak_bytes": (after - before) * 1024,
    }


def in_process(name: str) -> dict[str, float]:
    """Return the figures of one machine, built in a process of its own."""
    command = [sys.executable, __file__, "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(names: list[str]) -> None:
    """Print the table."""
    print("| machine | chips | cores | nodes | channels | CPU [s] | arrays [MB] | peak [MB] |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        row = in_process(name)
        counts = (f"{int(row[key]):,}" for key in ("chips", "cores", "nodes", "channels"))
        sizes = (f"{row[key] / 1e6:.1f}" for key in ("array_bytes", "peak_bytes"))
        print(f"| `{name}` | {' | '.join(counts)} | {row['seconds']:.2f} | {' | '.join(sizes)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main(sys.argv[1:] or list(NAMES))
