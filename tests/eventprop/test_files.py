"""IDX and HDF5 files that the tests write: what is in them comes back, what is broken is said."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DataError, PluginError
from eventprop_apps.data import (
    load_idx,
    load_mnist,
    load_spike_lists,
    read_idx,
    read_spike_lists,
)
from eventprop_apps.data.idx import FILES, TYPES


def idx_bytes(array: Any, code: int = 0x08) -> bytes:
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(TYPES[code]).tobytes()


def mnist(directory: Path, samples: int = 7, suffix: str = "") -> tuple[Any, Any]:
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (samples, 28, 28)).astype(np.uint8)
    labels = draws.integers(0, 10, samples).astype(np.uint8)
    for name, array in zip(FILES["train"], (images, labels), strict=True):
        data = idx_bytes(array)
        (directory / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    return images, labels


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist(tmp_path: Path, suffix: str) -> None:
    images, labels = mnist(tmp_path, suffix=suffix)
    data = load_mnist(tmp_path, "train")
    assert np.array_equal(data.x * 255, images.reshape(7, 784))
    assert data.label.tolist() == labels.tolist()
    assert (data.n_in, data.classes, data.steps) == (785, 10, 27)
    few = load_mnist(tmp_path, "train", limit=2, encoding="rate", rate=0.2)
    assert len(few) == 2 and np.array_equal(few.x, data.x[:2])


@settings(max_examples=60)
@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    code=st.sampled_from(sorted(TYPES)),
    packed=st.booleans(),
    cut=st.integers(1, 40),
    flip=st.integers(0, 2**16),
)
def test_any_idx_file(
    tmp_path_factory: pytest.TempPathFactory,
    shape: list[int], code: int, packed: bool, cut: int, flip: int,
) -> None:  # fmt: skip
    """A whole file comes back; a cut one is refused; a changed bit never ends in a traceback."""
    path = tmp_path_factory.getbasetemp() / "fuzz.idx"
    draws = np.random.default_rng(flip)
    array = draws.integers(0, 100, shape).astype(TYPES[code])
    data = idx_bytes(array, code)
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    found = read_idx(path)
    assert np.array_equal(found, array) and found.dtype == array.dtype.newbyteorder("=")
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    with pytest.raises(DataError, match=r"fuzz\.idx: "):
        read_idx(path)
    broken = bytearray(whole)
    broken[flip % len(broken)] ^= 1 << (flip % 8)
    path.write_bytes(bytes(broken))
    try:
        read_idx(path)
    except DataError as error:
        assert "fuzz.idx: " in str(error)


def test_idx_refusals(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    with pytest.raises(
        DataError, match=r"images: cannot be read: No such file or directory; check"
    ):
        read_idx(images)
    with pytest.raises(DataError, match=r"holds neither train-images-idx3-ubyte nor train-images-"):
        load_mnist(tmp_path)
    with pytest.raises(
        DataError, match=r"^load_mnist: got split 'tests', expected one of train, t"
    ):
        load_mnist(tmp_path, "tests")
    images.write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"got the first bytes 89 50 4e 47, expected an IDX file"):
        read_idx(images)
    images.write_bytes(b"\0\0\x07\x01\0\0\0\0")
    with pytest.raises(
        DataError, match=r"got type 0x07 in 1 dimensions, expected one of the types"
    ):
        read_idx(images)
    images.write_bytes(idx_bytes(np.zeros((3, 2, 2), np.uint8)) + b"\0")
    with pytest.raises(
        DataError, match=r"got 29 bytes, expected 28 for 3 x 2 x 2 values of 1 byte"
    ):
        read_idx(images)
    images.write_bytes(idx_bytes(np.zeros((3, 2, 2), np.uint8)))
    labels.write_bytes(idx_bytes(np.zeros(2, np.uint8)))
    with pytest.raises(DataError, match=r"got 3 images, but .*labels has 2 labels; take the two"):
        load_idx(images, labels)
    with pytest.raises(DataError, match=r"expected bytes in 2 or more dimensions; are images and"):
        load_idx(labels, images)
    labels.write_bytes(idx_bytes(np.array([1, 2, 10], np.uint8)))
    with pytest.raises(DataError, match=r"got the label 10, expected 0\.\.9 for 10 classes$"):
        load_idx(images, labels)


# ---------------------------------------------------------------------------------------- HDF5
def write_lists(path: Path, times: Any, units: Any, labels: Any) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, lists, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            field = file.create_dataset(
                f"spikes/{name}", (len(lists),), dtype=h5py.vlen_dtype(kind)
            )
            for b, own in enumerate(lists):
                field[b] = np.asarray(own, kind)
        file.create_dataset("labels", data=np.asarray(labels, np.uint16))


def test_times_are_cast_before_they_are_scaled(tmp_path: Path) -> None:
    """0.9995 s is float16's 0.99951...; times 1000 in float16 it would be rounded to 999.5."""
    path = tmp_path / "shd_train.h5"
    times = np.array([0.0, 0.0205, 0.9995, 1.2], np.float16)
    write_lists(path, [times, [0.5]], [[699, 3, 3, 0], [1]], [19, 0])
    lists = read_spike_lists(path)
    assert lists.times[0].dtype == np.float64
    assert lists.times[0].tolist() == times.astype(float).tolist()
    data = load_spike_lists(path, classes=20, steps=1100, dt_ms=1.0)
    assert (data.n_in, data.steps, data.classes, len(data)) == (700, 1100, 20, 2)
    own = slice(data.events.start[0], data.events.stop[0])
    steps = np.floor(times[:3].astype(np.float64) * 1000).astype(int).tolist()
    assert data.events.step[own].tolist() == steps  # 1.2 s is past the end
    assert data.events.index[own].tolist() == [699, 3, 3]
    assert data.label.tolist() == [19, 0]
    assert data.x.shape == (2, 0)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    steps=st.integers(2, 40),
    per_line=st.sampled_from([1, 3, 10, 700]),
)
def test_any_lists(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int, sizes: list[int], steps: int, per_line: int,
) -> None:  # fmt: skip
    """Spike by spike in plain Python: a set of (step, line), sorted."""
    path = tmp_path_factory.getbasetemp() / "fuzz.h5"
    draws = np.random.default_rng(seed)
    times = [draws.random(n).astype(np.float16) * np.float16(1.3) for n in sizes]
    units = [draws.integers(0, 700, n) for n in sizes]
    write_lists(path, times, units, range(len(sizes)))
    events = load_spike_lists(path, steps=steps, dt_ms=25.0, units_per_line=per_line).events
    for b in range(len(sizes)):
        pairs = {
            (int(float(t) * 1e3 / 25.0), int(u) // per_line)
            for t, u in zip(times[b], units[b], strict=True)
        }
        part = slice(events.start[b], events.stop[b])
        found = list(zip(events.step[part].tolist(), events.index[part].tolist(), strict=True))
        assert found == sorted(p for p in pairs if p[0] < steps)
    data = path.read_bytes()
    path.write_bytes(data[: seed % len(data)])
    with pytest.raises(DataError, match=r"fuzz\.h5: "):
        read_spike_lists(path)


def test_list_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    path = tmp_path / "x.h5"
    with pytest.raises(DataError, match=r"x\.h5: no such file; get it and unpack it"):
        read_spike_lists(path)
    path.write_bytes(gzip.compress(b"anything"))
    with pytest.raises(DataError, match=r"x\.h5: cannot be read as HDF5: .*unpack it \(gunzip\)"):
        read_spike_lists(path)
    with h5py.File(path, "w") as file:
        file.create_group("spikes")
    with pytest.raises(DataError, match=r"lacks spikes/times, spikes/units, labels, expected"):
        read_spike_lists(path)
    for times, units, labels, says in (
        ([[0.1]], [[1], [2]], [0], r"got 1 lists of times, 2 of units and 1 labels"),
        ([[0.1]], [[700]], [0], r"sample 0 has units 700\.\.700, expected 0\.\.699"),
        ([[0.1, 0.2]], [[7]], [0], r"sample 0 has times of shape \(2,\) and units of shape \(1,\)"),
        ([[-0.1]], [[7]], [0], r"sample 0 has times that are negative or not finite"),
    ):
        write_lists(path, times, units, labels)
        with pytest.raises(DataError, match=says):
            read_spike_lists(path)
    write_lists(path, [[0.1]], [[7]], [20])
    with pytest.raises(DataError, match=r"got the label 20, expected 0\.\.19$"):
        load_spike_lists(path, classes=20)
    with pytest.raises(DataError, match=r"got steps = 1, dt_ms = 10\.0, units_per_line = 1; expec"):
        load_spike_lists(path, steps=1)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(PluginError, match=r"HDF5 files need h5py, which is not installed; pip in"):
        read_spike_lists(path)
