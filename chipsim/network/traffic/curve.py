"""The latency-load curve: a table, and a drawing where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from chipsim.errors import NetworkError
from chipsim.network.traffic.result import TrafficResult

_COLUMNS = ("rate", "offered", "accepted", "mean", "p50", "p99", "max", "max", "mean")
_SUFFIXES = (".png", ".pdf", ".svg")


def header() -> list[str]:
    """Return the two lines above the rows of :func:`row`."""
    above = f"{'[packets/node/cycle]':>30}{'latency [cycles]':>40}{'channel load':>20}"
    return [above, "".join(f"{name:>10}" for name in _COLUMNS)]


def row(result: TrafficResult) -> str:
    """Return one rate's line of the table."""
    latencies = (
        result.mean_latency_cycles,
        result.p50_latency_cycles,
        result.p99_latency_cycles,
        result.max_latency_cycles,
    )
    cells = [f"{result.rate or 0:10.4f}", f"{result.offered_rate:10.4f}"]
    cells.append(f"{result.accepted_rate:10.4f}")
    cells += [f"{'-':>10}" if value is None else f"{value:10.2f}" for value in latencies]
    cells += [f"{result.channel_load_max:10.3f}", f"{result.channel_load_mean:10.3f}"]
    if result.saturated:
        cells.append(f"  saturated, {result.censored} censored")
    return "".join(cells)


def check_plot(path: Path) -> None:
    """Refuse a drawing that could not be made, before the runs.

    Raises
    ------
    NetworkError
        If matplotlib is missing, or the file's name or place does not suit.
    """
    if find_spec("matplotlib") is None:
        raise NetworkError(
            f"plot: {path}: drawing needs matplotlib, which is not installed; install "
            "chipsim[plots], or use the table"
        )
    if path.suffix.lower() not in _SUFFIXES:
        raise NetworkError(
            f"plot: got {str(path)!r}; expected a file that ends in {', '.join(_SUFFIXES)}"
        )
    if not path.parent.is_dir():
        raise NetworkError(f"plot: the directory {path.parent} does not exist; create it first")


def plot(results: Sequence[TrafficResult], path: Path) -> None:
    """Draw mean and 99th percentile latency over the offered rate into ``path``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    # Beyond saturation the latency is the run's length, not the network's: hollow marks.
    for name, label, colour in (
        ("mean_latency_cycles", "mean", "C0"),
        ("p99_latency_cycles", "99th percentile", "C1"),
    ):
        points = [(r.offered_rate, getattr(r, name), r.saturated) for r in results]
        seen = [(x, y, s) for x, y, s in points if y is not None]
        axes.plot([x for x, _, _ in seen], [y for _, y, _ in seen], color=colour, label=label)
        for x, y, hollow in seen:
            axes.plot(x, y, "o", color=colour, markerfacecolor="white" if hollow else colour)
    first = results[0]
    axes.set_yscale("log")
    axes.set_xlabel("offered rate [packets / node / cycle]")
    axes.set_ylabel("latency [cycles]")
    axes.set_title(f"{first.machine}, {first.pattern} (hollow: saturated)")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path)
    pyplot.close(figure)
