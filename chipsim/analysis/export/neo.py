"""Spikes for Neo and what builds on it (Elephant, Viziphant): a block of spike trains.

A :class:`neo.Block` holds a segment for each (batch, sample); a segment holds a spike train for
each neuron that spiked in it, with the annotations ``vertex``, ``neuron``, ``batch``, ``sample``.
Times are chip time in milliseconds. Files are written by Neo itself: ``.pkl`` by its PickleIO,
``.nix`` (HDF5 of the NIX project; slower, readable outside Python) by its NixIO.

References
----------
Garcia et al., Frontiers in Neuroinformatics 8, 10 (2014), doi:10.3389/fninf.2014.00010.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chipsim.analysis.export.events import Events, spike_events
from chipsim.analysis.export.window import Window
from chipsim.analysis.run import Run
from chipsim.errors import ChipsimError, TraceError
from chipsim.units import PS_PER_MS

SUFFIXES = (".pkl", ".nix")


def to_neo(run: Run, window: Window | None = None) -> Any:
    """Return the spikes of a run as a ``neo.Block``.

    Raises
    ------
    ChipsimError
        If the package ``neo`` is missing.
    TraceError
        As :func:`chipsim.analysis.export.events.spike_events`.
    """
    neo = _neo()
    events = spike_events(run, window or Window())
    block = neo.Block(name=str(run.experiment.get("experiment", "run")))
    for batch, sample in events.samples(np.arange(len(events))):
        segment = neo.Segment(name=f"batch {batch}, sample {sample}", index=len(block.segments))
        segment.annotate(batch=batch, sample=sample)
        segment.spiketrains.extend(_trains(neo, events, batch, sample))
        block.segments.append(segment)
    return block


def export_neo(run: Run, path: Path, window: Window) -> int:
    """Write the spikes of a run and return how many there are.

    Raises
    ------
    ChipsimError
        If ``neo``, or for ``.nix`` the package ``nixio``, is missing.
    TraceError
        As :func:`to_neo`, or if the file exists, cannot be written, or has another suffix.
    """
    if path.suffix not in SUFFIXES:
        raise TraceError(
            f"{path}: got the suffix {path.suffix!r}, expected {' or '.join(SUFFIXES)}"
        )
    if path.exists():
        raise TraceError(f"{path}: exists; give another file with --out")
    if not path.resolve().parent.is_dir():
        raise TraceError(f"{path}: cannot be written: the directory does not exist")
    _neo()
    block = to_neo(run, window)
    if path.suffix == ".pkl":
        from neo.io import PickleIO

        PickleIO(str(path)).write_block(block)
    else:
        _write_nix(path, block)
    return sum(len(train) for segment in block.segments for train in segment.spiketrains)


def _write_nix(path: Path, block: Any) -> None:
    try:
        import nixio  # noqa: F401
    except ImportError as error:
        raise ChipsimError("NIX files need nixio: pip install 'chipsim[neo]'") from error
    from neo.io import NixIO

    file = NixIO(str(path), "ow")
    try:
        file.write_block(block)
    finally:
        file.close()


def _trains(neo: Any, events: Events, batch: int, sample: int) -> list[Any]:
    rows = np.flatnonzero((events.batch == batch) & (events.sample == sample))
    vertex, neuron = events.vertex[rows], events.neuron[rows]
    start, end = (time / PS_PER_MS for time in events.batch_span[batch])
    found = []
    for v, n in sorted(set(zip(vertex.tolist(), neuron.tolist(), strict=True))):
        times = events.time_ps[rows[(vertex == v) & (neuron == n)]] / PS_PER_MS
        about = {"vertex": v, "neuron": n, "batch": batch, "sample": sample}
        train = neo.SpikeTrain(
            times, units="ms", t_start=start, t_stop=end, name=f"vertex {v}, neuron {n}", **about
        )
        found.append(train)
    return found


def _neo() -> Any:
    try:
        import neo
    except ImportError as error:
        raise ChipsimError("Neo files need the package neo: pip install 'chipsim[neo]'") from error
    return neo
