"""What happens when: handlers of PEs, spikes and errors, epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from chipsim.analysis.groups import as_text, codes_of
from chipsim.analysis.report.facts import learning
from chipsim.errors import TraceError
from chipsim.plots.style import COLOURS, MARKERS, axes_or_new, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chipsim.analysis.run import Run


def tick_timeline(
    run: Run, start_ms: float = 0.0, end_ms: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw when each PE computed: a row a PE, a bar a handler, in the colour of its phase.

    Parameters
    ----------
    run : Run
        With ticks traced.
    start_ms, end_ms : float
        Chip time that is shown [ms]; to the end, if no end is given.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Chip time [ms] against PEs; overruns have a red edge.

    Raises
    ------
    TraceError
        If no ticks were traced, or the end is not after the start.

    Examples
    --------
    ::

        plots.tick_timeline(run, 50, 60)      # the end of the first batch
    """
    if end_ms is not None and end_ms <= start_ms:
        raise TraceError(f"got the time from {start_ms} to {end_ms} ms, expected an end after it")
    rows = run.ticks
    done, start = rows["done_ps"].to_numpy() / 1e9, rows["start_ps"].to_numpy() / 1e9
    inside = (done >= start_ms) & (start < (np.inf if end_ms is None else end_ms))
    pes = sorted(set(rows["pe"].to_pylist()))
    row_of = {pe: row for row, pe in enumerate(pes)}
    height = np.array([row_of[pe] for pe in rows["pe"].to_pylist()])
    phases, names = codes_of(rows["phase"]), as_text(rows["phase"]).to_pylist()
    over = rows["overrun"].to_numpy()
    ax = axes_or_new(ax)
    for place, code in enumerate(np.unique(phases[inside]).tolist()):
        here = np.flatnonzero(inside & (phases == code))
        ax.barh(
            height[here],
            (done - start)[here],
            left=start[here],
            height=0.8,
            color=COLOURS[place % len(COLOURS)],
            edgecolor=np.where(over[here], "#FF0000", "none").tolist(),
            label=names[here[0]],
        )
    ax.set_yticks(range(len(pes)), [run.machine.endpoint_label(pe) for pe in pes], fontsize=6)
    ax.set(xlabel="chip time [ms]", xlim=(start_ms, end_ms))
    if inside.any():
        ax.legend(title="phase")
    return ax


def raster(
    run: Run, batch: int | None = None, sample: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the spikes of one sample forward and its errors backward, from its packets.

    Parameters
    ----------
    run : Run
        With packets traced.
    batch, sample : int, optional
        Of the first spike in the trace, if not given.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Chip time of injection [ms] against rows: a row for each key of a sending vertex, that is a
        neuron for spikes and a spike that is answered for errors, which lie below zero.

    Raises
    ------
    TraceError
        If no packets were traced, or the trace holds no spike of that batch and sample.

    Examples
    --------
    ::

        plots.raster(run, batch=0)
    """
    columns = ["packet_source", "packet_seq", "key", "kind", "injected_ps", "batch", "sample"]
    rows = run.read("packets", columns)
    kinds = rows["kind"].cast("string")
    for name, wanted in (("batch", batch), ("sample", sample)):
        if wanted is None:
            first = rows.filter(pc.equal(kinds, "spike"))
            wanted = first[name][0].as_py() if first.num_rows else -1
        rows = rows.filter(pc.equal(rows[name], wanted))
        kinds = rows["kind"].cast("string")
    ax = axes_or_new(ax)
    for place, (kind, sign) in enumerate((("spike", 1), ("error", -1))):
        mine = rows.filter(pc.equal(kinds, kind)).to_pylist()
        events = {(r["packet_source"], r["packet_seq"]): r for r in mine}.values()
        if not events and kind == "spike":
            raise TraceError(f"{run.path}: no spike of this batch and sample in the trace")
        names = sorted({(r["packet_source"], r["key"]) for r in events})
        row_of = {name: number for number, name in enumerate(names, 1)}
        ax.plot(
            [r["injected_ps"] / 1e9 for r in events],
            [sign * row_of[r["packet_source"], r["key"]] for r in events],
            linestyle="none",
            marker="|" if kind == "spike" else "D",
            markersize=5 if kind == "spike" else 2.5,
            color=COLOURS[place],
            label=kind,
        )
    ax.axhline(0, color="0.5", linewidth=0.5)
    ax.set(xlabel="chip time [ms]", ylabel="errors: answered spikes    spikes: neurons")
    ax.legend()
    return ax


def learning_curve(run: Run, ax: Axes | None = None) -> Axes:
    """Draw test and training accuracy by epoch.

    Raises
    ------
    TraceError
        If no epoch was finished, or ``metrics.csv`` is broken.

    Examples
    --------
    ::

        plots.learning_curve(run)
    """
    found = learning(run)
    if found is None:
        raise TraceError(f"{run.path}: no epoch was finished, so there is no learning curve")
    epoch = [row[found["columns"].index("epoch")] for row in found["rows"]]
    ax = axes_or_new(ax)
    names = [name for name in found["columns"] if name.endswith("accuracy")]
    for place, name in enumerate(names):
        at = found["columns"].index(name)
        values = [np.nan if row[at] is None else 100 * row[at] for row in found["rows"]]
        label = name.replace("_", " ")
        ax.plot(epoch, values, label=label, marker=MARKERS[place], **line_style(place))
    ax.set(xlabel="epoch", ylabel="accuracy [%]", ylim=(0, 100))
    ax.legend()
    return ax
