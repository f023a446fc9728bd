"""Spikes as NIRData: the observables of spiking networks in the form of the NIR project.

NIRData is part of the package ``nir`` (``nir.data_ir``): a graph of nodes, each with observables;
``EventData`` holds event indices and times of shape (samples, events), padded with -1 and infinity.
The package defines the classes but no file. Ours is HDF5 with the classes' fields under their own
names, as ``nir.write`` does for graphs::

    /version                                   text
    /nodes/VERTEX/observables/spikes/type      "EventData"
                                    /idx       int64   (samples, events)
                                    /time      float64 (samples, events), s since the batch began
                                    /n_neurons, /t_max
                                    /batch, /sample    int64 (samples,): which row is which

A node is a sending vertex, named ``vertexN`` with its number in the trace.

References
----------
NIR: Pedersen et al., Nature Communications 15, 8122 (2024), doi:10.1038/s41467-024-52259-9.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chipsim.analysis.export.events import Events, spike_events
from chipsim.analysis.export.window import Window
from chipsim.analysis.run import Run
from chipsim.errors import ChipsimError, TraceError
from chipsim.units import PS_PER_S

if TYPE_CHECKING:
    from nir.data_ir import NIRGraphData

VERSION = "chipsim-nirdata/1"


def to_nirdata(run: Run, window: Window | None = None) -> NIRGraphData:
    """Return the spikes of a run as ``nir.data_ir.NIRGraphData``.

    Raises
    ------
    ChipsimError
        If the package ``nir`` is missing.
    TraceError
        As :func:`chipsim.analysis.export.events.spike_events`.
    """
    data_ir = _nir()
    events = spike_events(run, window or Window())
    return data_ir.NIRGraphData(
        {
            f"vertex{vertex}": data_ir.NIRNodeData(
                {"spikes": data_ir.EventData(*_padded(events, vertex)[:4])}
            )
            for vertex in events.neurons
        }
    )


def export_nirdata(run: Run, path: Path, window: Window) -> int:
    """Write the spikes of a run and return how many there are.

    Raises
    ------
    ChipsimError
        If h5py is missing.
    TraceError
        As :func:`to_nirdata`, or if the file exists or cannot be written.
    """
    h5py = _h5py()
    events = spike_events(run, window)
    if path.exists():
        raise TraceError(f"{path}: exists; give another file with --out")
    names = ("idx", "time", "n_neurons", "t_max", "batch", "sample")
    try:
        with h5py.File(path, "w", track_order=True) as file:
            file["version"] = VERSION
            for vertex in events.neurons:
                group = file.create_group(f"nodes/vertex{vertex}/observables/spikes")
                group["type"] = "EventData"
                for name, value in zip(names, _padded(events, vertex), strict=True):
                    group[name] = value
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error}") from error
    return len(events)


def read_nirdata(path: Path) -> NIRGraphData:
    """Return what :func:`export_nirdata` has written.

    Raises
    ------
    ChipsimError
        If the package ``nir`` or h5py is missing.
    TraceError
        If the file is not one of ours.
    """
    data_ir, h5py = _nir(), _h5py()
    try:
        with h5py.File(path, "r") as file:
            version = file["version"][()].decode() if "version" in file else None
            if version != VERSION:
                raise TraceError(f"{path}: got version {version!r}, expected {VERSION!r}")
            nodes = {}
            for name, node in file["nodes"].items():
                group = node["observables/spikes"]
                fields = [group[field][()] for field in ("idx", "time", "n_neurons", "t_max")]
                data = data_ir.EventData(*fields[:2], int(fields[2]), float(fields[3]))
                nodes[name] = data_ir.NIRNodeData({"spikes": data})
    except (OSError, KeyError, AttributeError) as error:
        raise TraceError(f"{path}: no file of spikes that chipsim has written: {error}") from error
    return data_ir.NIRGraphData(nodes)


def _padded(events: Events, vertex: int) -> tuple[Any, Any, int, float, Any, Any]:
    """Return idx, time, n_neurons, t_max, batch, sample of one node."""
    rows = np.flatnonzero(events.vertex == vertex)
    pairs = events.samples(rows)
    place = {pair: number for number, pair in enumerate(pairs)}
    own = zip(events.batch[rows].tolist(), events.sample[rows].tolist(), strict=True)
    row_of = np.array([place[pair] for pair in own], np.int64)
    width = int(np.bincount(row_of).max())
    idx = np.full((len(pairs), width), -1, np.int64)
    time = np.full((len(pairs), width), np.inf)
    for number, (batch, _) in enumerate(pairs):
        here = rows[row_of == number]
        idx[number, : len(here)] = events.neuron[here]
        begun = events.batch_span[batch][0]
        time[number, : len(here)] = (events.time_ps[here] - begun) / PS_PER_S
    longest = max(end - start for start, end in events.batch_span.values())
    batches, samples = np.array(pairs, np.int64).T
    return idx, time, events.neurons[vertex], longest / PS_PER_S, batches, samples


def _nir() -> Any:
    try:
        from nir import data_ir
    except ImportError as error:
        raise ChipsimError("NIRData needs the package nir: pip install 'chipsim[nir]'") from error
    return data_ir


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ChipsimError("NIRData files need h5py: pip install 'chipsim[nir]'") from error
    return h5py
