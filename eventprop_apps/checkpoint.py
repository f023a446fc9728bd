"""Checkpoints of training on the chip: taken between two batches, when the network is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from chipsim.sim import checkpoint
from eventprop_apps.chip import ChipRun
from eventprop_apps.programs.inbox import Strays
from eventprop_apps.programs.layer import LayerKernel
from eventprop_apps.programs.loss import LossKernel


def state_of(run: ChipRun) -> checkpoint.State:
    """Return what continues a run; to be called from its ``on_done``.

    Raises
    ------
    CheckpointError
        See :func:`chipsim.sim.checkpoint.state_of`.
    """
    master = run.master
    return {
        "jobs": run.plan.done,
        "simulation": checkpoint.state_of(run.simulation),
        "weights": master.weights,
        "sums": master.sums,
        "optimiser": {} if master.optimiser is None else master.optimiser.state(),
        "replicas": {str(i): kernel.state.weights for i, kernel in enumerate(run.layers)},
        "strays": [list(astuple(kernel.strays)) for kernel in _kernels(run)],
        "astray": {str(i): kernel.astray for i, kernel in enumerate(_kernels(run))},
        "exchange": run.exchange_meter.state(),
        "phases": run.phases.state(),
    }


def restore(run: ChipRun, state: Mapping[str, Any]) -> None:
    """Continue after the job whose ``on_done`` took :func:`state_of`, in a run not yet begun."""
    run.plan.skip(int(state["jobs"]))
    checkpoint.restore(run.simulation, state["simulation"])
    master = run.master
    master.weights[:] = state["weights"]
    master.sums[:] = state["sums"]
    if master.optimiser is not None:
        master.optimiser.restore(dict(state["optimiser"]))
    for i, kernel in enumerate(run.layers):
        kernel.state.weights[:] = state["replicas"][str(i)]
    for owner, counts in zip(_kernels(run), state["strays"], strict=True):
        owner.strays = Strays(*counts)
    for i, owner in enumerate(_kernels(run)):
        owner.astray[:] = state["astray"][str(i)]
    run.exchange_meter.restore(state["exchange"])
    run.phases.restore(state["phases"])


def _kernels(run: ChipRun) -> list[LayerKernel | LossKernel]:
    return [*run.kernels, run.loss]
