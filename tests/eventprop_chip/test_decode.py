"""The compiled loops between packets and kernels, against NumPy and plain Python."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eventprop_apps.keys import ErrorKey, SpikeKey, bits_for
from eventprop_apps.programs import decode

ROWS, NETS = 5, 3
NEURONS, STEPS = 11, 30
PACKETS = st.lists(
    st.tuples(
        st.integers(0, ROWS - 1),
        st.integers(0, NETS - 1),
        st.integers(0, 1),
        st.integers(0, STEPS - 1),
        st.integers(0, NEURONS - 1),
    ),
    max_size=12,
).map(sorted)
WANTED = st.lists(st.booleans(), min_size=NETS + 1, max_size=NETS + 1)


def _columns(packets: list[tuple[int, ...]]) -> list[np.ndarray]:
    return [np.array([p[field] for p in packets], dtype=np.int64) for field in range(5)]


@given(PACKETS, WANTED, st.integers(0, 1))
def test_spikes(packets: list[tuple[int, ...]], wanted: list[bool], parity: int) -> None:
    row, net, sent, _, neuron = _columns(packets)
    key = (neuron | sent << bits_for(NEURONS)).astype(np.uint32)
    found = decode.decode_spikes(
        row.astype(np.int32), net.astype(np.int32), key, np.array(wanted), parity,
        bits_for(NEURONS),
    )  # fmt: skip
    own = [p for p in packets if wanted[p[1]] and p[2] == parity]
    assert [column.tolist() for column in found] == [[p[0] for p in own], [p[4] for p in own]]
    assert np.array_equal(key, SpikeKey(NEURONS).encode(0, neuron) | sent << bits_for(NEURONS))


@given(PACKETS, WANTED, st.integers(0, 1))
def test_errors(packets: list[tuple[int, ...]], wanted: list[bool], parity: int) -> None:
    _, net, sent, step, neuron = _columns(packets)
    form = ErrorKey(NEURONS, STEPS)
    key = np.where(sent, form.encode(1, step, neuron), form.encode(0, step, neuron))
    place, at_step, of_neuron = decode.decode_errors(
        net.astype(np.int32), key.astype(np.uint32), np.array(wanted), parity,
        bits_for(NEURONS), bits_for(STEPS),
    )  # fmt: skip
    kept = [i for i, p in enumerate(packets) if wanted[p[1]] and p[2] == parity]
    assert place.tolist() == kept
    assert at_step.tolist() == [step[i] for i in kept]
    assert of_neuron.tolist() == [neuron[i] for i in kept]


@given(PACKETS)
def test_pointers_counts_and_senders(packets: list[tuple[int, ...]]) -> None:
    row = np.array([p[0] for p in packets], dtype=np.int32)
    often = np.bincount(row, minlength=ROWS)
    ptr = decode.row_pointers(row, ROWS)
    assert ptr.tolist() == [0, *np.cumsum(often).tolist()]
    counts = np.ones((ROWS, 2), dtype=np.int64)
    decode.count_rows(counts, 1, row)
    assert counts.tolist() == [[1, 1 + many] for many in often.tolist()]
    rows = np.arange(ROWS, 0, -1).astype(np.int32) - 1
    sample = np.arange(100, 100 + ROWS, dtype=np.int32)
    position, tag = decode.senders(ptr, rows, sample)
    assert position.tolist() == row.tolist()
    assert tag.tolist() == sample[rows[row]].tolist()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_same_step(step: list[int]) -> None:
    expected = step[0] if len(set(step)) == 1 else -1
    assert decode.same_step(np.array(step, dtype=np.int64)) == expected


@given(
    st.lists(
        st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=ROWS, max_size=ROWS
    ),
    st.lists(st.integers(0, 4), min_size=2, max_size=2),
)  # fmt: skip
def test_inputs_of_a_step(steps: list[list[int]], now: list[int]) -> None:
    rows = [3, 1]
    lines = [[10 * r + k for k in range(3)] for r in range(ROWS)]
    sample = np.arange(50, 50 + ROWS, dtype=np.int32)
    position, offset, tag, found = decode.due_inputs(
        np.array(steps), np.array(lines), np.array(rows, np.int32), np.array(now), sample, 64
    )
    due = [
        (at, lines[r][k] | 64, 50 + r)
        for at, r in enumerate(rows)
        for k in range(3)
        if steps[r][k] == now[at]
    ]
    assert list(zip(position.tolist(), offset.tolist(), tag.tolist(), strict=True)) == due
    assert found.tolist() == [sum(at == row for at, *_ in due) for row in range(2)]
