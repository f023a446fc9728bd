"""One entry to both back ends: run a network on a batch, on the simulated chip or off it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chipsim.errors import DataError, did_you_mean
from chipsim.machine.library import load_machine
from chipsim.machine.model import EndpointKind, Machine
from chipsim.mapping.application import Transport
from eventprop_apps.chip import ChipOptions, ChipRun
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.kernels.factors import Factors
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.model import Model
from eventprop_apps.offchip.evaluate import Evaluation, evaluate_offchip
from eventprop_apps.programs.plan import Job

BACKENDS = ("chip", "offchip")
_DEFAULT_LOSS = TTFSLoss(xi=1.5, alpha=0.01, beta=100.0)


def evaluate(
    weights: Sequence[ArrayLike],
    spikes: ArrayLike,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    factors: str = "exp",
    dt_ms: float = 1.0,
    tau_mem_ms: float = 20.0,
    tau_syn_ms: float = 5.0,
    loss: TTFSLoss = _DEFAULT_LOSS,
    dtype: DTypeLike = np.float32,
    backend: Literal["chip", "offchip"] = "chip",
    machine: str | Machine = "spinnaker2",
    transport: Transport = "noc_direct",
    network: str = "compiled",
    replicas: int | None = None,
    probes: Sequence[object] = (),
    settings: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Run a network on a batch, forward and (with labels or errors) backward.

    Parameters
    ----------
    weights : sequence of array_like, shape (n_out, n_in)
        One array a layer, lowest first.
    spikes : array_like, shape (T, B, n_in)
        Input spikes, 0 or 1.
    labels : array_like of int, shape (B,), optional
        Right outputs, for the gradient of ``loss``.
    output_error : array_like, shape (B, n_out), optional
        dL/dt (per step) at each output neuron's first spike, instead of labels.
    factors : {"exp", "euler"}
        Form of the decay factors (facts/eventprop.md §2).
    dt_ms, tau_mem_ms, tau_syn_ms : float
        Step and time constants [ms].
    loss : TTFSLoss
        Times in steps, mean over the batch.
    dtype : {float32, float64}
        float64 travels as a 64-bit payload and is not the hardware's.
    backend : {"chip", "offchip"}
        As packets on the simulated chip, or the same kernels batched, without a chip.
    machine : str or Machine
        The machine of the chip back end.
    transport : {"noc_direct", "router_multicast"}
        Of spikes and errors.
    network : {"compiled", "simpy"}
        Network model.
    replicas : int, optional
        Samples in parallel; as many as fit (at most B) by default. More samples run in waves.
    probes : sequence of objects, optional
        See :mod:`chipsim.trace.probes`.
    settings : mapping, optional
        Further :class:`~eventprop_apps.chip.ChipOptions` by name.

    Returns
    -------
    Evaluation
        ``spikes`` (list per layer, (T, B, n)), ``first_spike_times`` (B, n_out; T where silent),
        ``gradients`` (list, (n_out, n_in), summed over the batch), ``loss``.

    Raises
    ------
    DataError
        For arrays that do not fit or values out of their range.
    MappingError
        If the network does not fit the machine.

    Examples
    --------
    >>> import numpy as np
    >>> spikes = np.zeros((10, 1, 2))
    >>> spikes[0, 0] = 1
    >>> result = evaluate([np.array([[5.0, 5.0], [1.0, 1.0]])], spikes, labels=[0])
    >>> result.first_spike_times
    array([[ 3, 10]], dtype=int32)
    """
    constants: dict[str, Any] = {
        "factors": factors, "dt_ms": dt_ms, "tau_mem_ms": tau_mem_ms, "tau_syn_ms": tau_syn_ms
    }  # fmt: skip
    if backend == "offchip":
        return evaluate_offchip(
            weights, spikes, labels, output_error, loss=loss, dtype=dtype, **constants
        )
    if backend != "chip":
        raise DataError(f"evaluate: unknown back end {backend!r}{did_you_mean(backend, BACKENDS)}")
    chip = load_machine(machine) if isinstance(machine, str) else machine
    events = SpikeEvents.from_dense(spikes)
    arrays = [np.asarray(w, np.float64) for w in weights]
    model = Model.make(
        _sizes(arrays, events.n_in),
        events.steps,
        Factors.make(factors, dt_ms=dt_ms, tau_mem_ms=tau_mem_ms, tau_syn_ms=tau_syn_ms),
        loss,
        dtype,
    )
    targets = _targets(model, len(events), labels, output_error)
    width = max_replicas(chip, model) if replicas is None else replicas
    options = ChipOptions(
        max(1, min(width, len(events))), transport, network, **dict(settings or {})
    )
    return _on_chip(model, chip, arrays, events, targets, output_error is not None, options, probes)


def max_replicas(machine: Machine, model: Model) -> int:
    """Return how many samples run in parallel in the paper's placement (whole quads, one left)."""
    pes = machine.endpoint_kind == EndpointKind.PE
    columns = (machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y)
    tiles = set(zip(*(column[pes].tolist() for column in columns), strict=True))
    per_tile = int(pes.sum()) // max(1, len(tiles))
    quads = -(-(model.layers + 2) // max(1, per_tile))
    return max(1, (len(tiles) - 1) // quads)


def _sizes(weights: Sequence[NDArray[Any]], n_in: int) -> tuple[int, ...]:
    problems = [
        f"weights[{i}] has shape {w.shape}; expected (n_out, n_in)"
        for i, w in enumerate(weights)
        if w.ndim != 2
    ]
    if not weights:
        problems.append("no weights; expected one array a layer")
    if problems:
        raise DataError("evaluate: " + "; ".join(problems))
    sizes = (n_in, *(w.shape[0] for w in weights))
    for i, w in enumerate(weights):
        if w.shape[1] != sizes[i]:
            problems.append(
                f"weights[{i}] has {w.shape[1]} inputs; the layer below has {sizes[i]} lines"
            )
    if problems:
        raise DataError("evaluate: " + "; ".join(problems))
    return sizes


def _targets(
    model: Model, samples: int, labels: ArrayLike | None, errors: ArrayLike | None
) -> list[NDArray[np.uint32]] | None:
    """Return the words that each sample's loss program gets; None without a backward pass."""
    if labels is not None and errors is not None:
        raise DataError("evaluate: got labels and output_error; expected one of them")
    outputs = model.sizes[-1]
    if labels is not None:
        label = np.asarray(labels)
        if label.shape != (samples,) or label.min() < 0 or label.max() >= outputs:
            raise DataError(
                f"evaluate: got labels of shape {label.shape}, expected ({samples},) with values "
                f"0 to {outputs - 1}"
            )
        return [np.array([int(one)], dtype=np.uint32) for one in label]
    if errors is not None:
        error = np.asarray(errors, model.dtype)
        if error.shape != (samples, outputs):
            raise DataError(
                f"evaluate: got output_error of shape {error.shape}, expected "
                f"({samples}, {outputs})"
            )
        return [np.ascontiguousarray(row).view(np.uint32) for row in error]
    return None


def _on_chip(
    model: Model,
    machine: Machine,
    weights: Sequence[NDArray[Any]],
    events: SpikeEvents,
    targets: list[NDArray[np.uint32]] | None,
    given: bool,
    options: ChipOptions,
    probes: Sequence[object],
) -> Evaluation:
    samples, width = len(events), options.replicas
    first = np.full((samples, model.sizes[-1]), model.steps, dtype=np.int32)
    shares = np.zeros(samples, dtype=model.dtype)

    def jobs() -> Iterator[Job]:
        for start in range(0, samples, width):
            wave = range(start, min(start + width, samples))
            yield Job(
                events=[sample_of(events, b) for b in wave],
                targets=[np.zeros(1, np.uint32) if targets is None else targets[b] for b in wave],
                samples=np.array(wave, dtype=np.int32),
                backward=targets is not None,
                update=False,
                batch=samples,
            )

    def on_done(_: int, job: Job) -> None:
        first[job.samples] = run.loss.first[: len(job)]
        shares[job.samples] = run.loss.loss[: len(job)]

    run = ChipRun(
        model, machine, weights, jobs(), options,
        input_capacity=max(1, events.longest()), given_errors=given, on_done=on_done,
        probes=probes,
    )  # fmt: skip
    run.optimiser.keep_sums = True
    spikes = _spike_arrays(run, samples)
    run.run()
    # As off the chip: sample by sample, ascending.
    total = float(sum(shares.tolist())) if targets is not None and not given else None
    return Evaluation(spikes, first, run.gradients, total)


def sample_of(events: SpikeEvents, sample: int) -> NDArray[np.int32]:
    """Return one sample's spikes as rows (step, line), sorted by step, then line."""
    part = slice(int(events.start[sample]), int(events.stop[sample]))
    return np.stack([events.step[part], events.index[part]], axis=1)


class _SpikeSink:
    """Notes the spikes of a layer's kernel as they are sent, by sample."""

    def __init__(self, kernel: Any, spikes: NDArray[np.uint8]) -> None:
        self.kernel = kernel
        self.spikes = spikes

    def append(self, entry: tuple[int, NDArray[np.int32], NDArray[np.int32]]) -> None:
        step, row, neuron = entry
        sample = self.kernel.sample[row]
        used = sample >= 0
        self.spikes[step, sample[used], neuron[used]] = 1


def _spike_arrays(run: ChipRun, samples: int) -> list[NDArray[np.uint8]]:
    model = run.model
    arrays = [np.zeros((model.steps, samples, n), dtype=np.uint8) for n in model.sizes[1:]]
    for kernel in run.layers:
        kernel.spike_log = _SpikeSink(kernel, arrays[kernel.layer])
    return arrays
