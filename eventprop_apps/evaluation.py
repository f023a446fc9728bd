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
from eventprop_apps.costs import shipped
from eventprop_apps.data.dataset import SpikeEvents
from eventprop_apps.exchange import ExchangeOptions
from eventprop_apps.losses.api import target_words
from eventprop_apps.losses.ttfs import TTFSLoss
from eventprop_apps.memory import tree_buffers
from eventprop_apps.model import Model, Split, slices_of
from eventprop_apps.offchip.batch import check_targets, head_sizes
from eventprop_apps.offchip.evaluate import Evaluation, evaluate_offchip, model_of_arrays
from eventprop_apps.programs.plan import Job
from eventprop_apps.splitting import choose_parts

BACKENDS = ("chip", "offchip")
_DEFAULT_LOSS = TTFSLoss(xi=1.5, alpha=0.01, beta=100.0)


def evaluate(
    weights: Sequence[ArrayLike],
    spikes: ArrayLike,
    labels: ArrayLike | None = None,
    output_error: ArrayLike | None = None,
    *,
    factors: str | Sequence[str] = "exp",
    dt_ms: float = 1.0,
    tau_mem_ms: float | Sequence[float] = 20.0,
    tau_syn_ms: float | Sequence[float] = 5.0,
    threshold: float | Sequence[float] = 1.0,
    recurrent: bool | Sequence[bool] = False,
    regularisers: Any = None,
    split: Split | Sequence[Split] = "neurons",
    loss: Any = _DEFAULT_LOSS,
    targets: ArrayLike | None = None,
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
        One array a layer, lowest first; of a recurrent one ``[W | R]``, (n_out, n_in + n_out).
    spikes : array_like, shape (T, B, n_in)
        Input spikes, 0 or 1.
    labels : array_like of int, shape (B,) or (B, heads), optional
        Right outputs, for the gradient of ``loss``.
    output_error : array_like, shape (B, n_out), optional
        dL/dt (per step) at each output neuron's first spike (of a read-out: dL/dy), instead of
        labels.
    factors : {"exp", "euler"} or sequence of them
        Form of the decay factors, for all layers or one a layer; so with the next three.
    dt_ms, tau_mem_ms, tau_syn_ms : float
        Step and time constants [ms].
    threshold : float
        Firing threshold.
    recurrent : bool or sequence of bool
        One for all LIF layers, or one a layer.
    regularisers : Regulariser or sequence of Regulariser or None, optional
        One for all LIF layers, or one a layer.
    split : {"neurons", "inputs"} or sequence of them
        How layers lie on several PEs. A layer split by inputs is another network: its spikes act
        two steps after those that cause them, off the chip as on it, and its currents are summed
        in as many slices as ``settings["parts"]`` says (one, if it does not).
    loss : Loss
        Times in steps, mean over the batch. One that reads ``values`` makes the last layer a
        leaky read-out.
    targets : array_like, shape (B, n_out), optional
        Wanted values, for a loss that wants them.
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
        Further :class:`~eventprop_apps.chip.ChipOptions` by name. Of these, ``parts`` is also what
        the off-chip back end sums slices by.

    Returns
    -------
    Evaluation
        ``spikes`` (list per layer, (T, B, n)), ``first_spike_times`` (B, n_out; T where silent),
        ``gradients`` (list, (n_out, n_in), summed over the batch), ``loss``, ``values``.

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
    network_of: dict[str, Any] = {
        "factors": factors, "dt_ms": dt_ms, "tau_mem_ms": tau_mem_ms, "tau_syn_ms": tau_syn_ms,
        "threshold": threshold, "recurrent": recurrent, "regularisers": regularisers,
        "slices": slices_of(split, (settings or {}).get("parts", ()), len(weights)),
    }  # fmt: skip
    if backend == "offchip":
        return evaluate_offchip(
            weights, spikes, labels, output_error, loss=loss, targets=targets, dtype=dtype,
            **network_of,
        )  # fmt: skip
    if backend != "chip":
        raise DataError(f"evaluate: unknown back end {backend!r}{did_you_mean(backend, BACKENDS)}")
    chip = load_machine(machine) if isinstance(machine, str) else machine
    events = SpikeEvents.from_dense(spikes)
    arrays = [np.asarray(w, np.float64) for w in weights]
    model = model_of_arrays(arrays, events, loss, dtype, **network_of)
    words = _targets(model, len(events), labels, output_error, targets)
    chosen = dict(settings or {})
    parts = chosen["parts"] = _parts(chip, model, events, chosen)
    width = max_replicas(chip, model, parts) if replicas is None else replicas
    options = ChipOptions(max(1, min(width, len(events))), transport, network, **chosen)
    return _on_chip(model, chip, arrays, events, words, output_error is not None, options, probes)


def max_replicas(machine: Machine, model: Model, parts: Sequence[int] = ()) -> int:
    """Return how many samples run in parallel in the paper's placement (whole quads, one left).

    Parameters
    ----------
    machine : Machine
    model : Model
    parts : sequence of int, optional
        PEs of each layer; one each where it says 0 or nothing.
    """
    pes = machine.endpoint_kind == EndpointKind.PE
    columns = (machine.endpoint_chip, machine.endpoint_x, machine.endpoint_y)
    tiles = set(zip(*(column[pes].tolist() for column in columns), strict=True))
    per_tile = int(pes.sum()) // max(1, len(tiles))
    sliced = sum(model.sliced(layer) for layer in range(model.layers))  # neurons of their own
    needed = sum(max(1, n) for n in parts or (1,) * model.layers) + sliced + 2
    quads = -(-needed // max(1, per_tile))
    return max(1, (len(tiles) - 1) // quads)


def _parts(
    machine: Machine, model: Model, events: SpikeEvents, settings: Mapping[str, Any]
) -> tuple[int, ...]:
    """Return the PEs of each layer: as many as are asked for, or as its SRAM needs."""
    asked = tuple(settings.get("parts", ()))
    if "pe.app_data_kb" not in machine.description:
        return asked  # no PEs to run on, which the run will say
    limit = machine.description.integer("pe.app_data_kb") * 1024
    limit -= tree_buffers(settings.get("exchange", ExchangeOptions()))
    return choose_parts(
        model, max(1, events.longest()), limit, asked,
        costs=shipped(), max_cycles=settings.get("max_cycles"),
    )  # fmt: skip


def _targets(
    model: Model,
    samples: int,
    labels: ArrayLike | None,
    errors: ArrayLike | None,
    targets: ArrayLike | None,
) -> list[NDArray[np.uint32]] | None:
    """Return the words that each sample's loss program gets; None without a backward pass."""
    if labels is not None and errors is not None:
        raise DataError("evaluate: got labels and output_error; expected one of them")
    outputs = model.sizes[-1]
    if labels is not None:
        heads = head_sizes(model.loss, outputs)
        label = np.asarray(labels)
        columns = label[:, None] if label.ndim == 1 else label
        if columns.shape != (samples, len(heads)) or any(
            columns[:, h].min() < 0 or columns[:, h].max() >= n for h, n in enumerate(heads)
        ):
            wanted = f"({samples},)" if len(heads) == 1 else f"({samples}, {len(heads)})"
            upper = " and ".join(str(n - 1) for n in heads)
            raise DataError(
                f"evaluate: got labels of shape {label.shape}, expected {wanted} with values "
                f"0 to {upper}"
            )
        value = check_targets(model.loss, targets, samples, outputs)
        return [
            target_words(columns[b], None if value is None else value[b], model.dtype)
            for b in range(samples)
        ]
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
    values = np.zeros((samples, model.sizes[-1]), dtype=model.dtype)
    regulariser = np.zeros((model.layers, samples), dtype=model.dtype)

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
        if model.readout:
            values[job.samples] = run.loss.values[: len(job)]
        for kernel in run.kernels:
            regulariser[kernel.layer, job.samples] += kernel.shares[: len(job)]

    run = ChipRun(
        model, machine, weights, jobs(), options,
        input_capacity=max(1, events.longest()), given_errors=given, on_done=on_done,
        probes=probes,
    )  # fmt: skip
    run.master.keep_sums = True
    spikes = _spike_arrays(run, samples)
    run.run()
    # As off the chip: sample by sample, ascending, then the regularisers layer by layer.
    total = None
    if targets is not None and not given:
        total = float(sum(shares.tolist()))
        total += sum(float(sum(row)) for row in regulariser.tolist())
    return Evaluation(spikes, first, run.gradients, total, values if model.readout else None)


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
    for kernel in run.kernels:
        kernel.spike_log = _SpikeSink(kernel, arrays[kernel.layer])
    return arrays
