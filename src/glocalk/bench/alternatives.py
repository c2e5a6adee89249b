"""Custom implementations against libraries: sparse × dense products, thresholds of the C library.

The implementations take turns in short but complete trainings. Times are CPU times at one thread,
because other programs on the machine affect them less than wall-clock times.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias
from unittest import mock

import numpy as np
import scipy.sparse
import torch

from glocalk.bench.process import in_own_process
from glocalk.completers.igmc import convolution
from glocalk.data.sources import build_source
from glocalk.records.benchmark import AlternativeTraining, ProductCost
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.trainings import train_once
from glocalk.sparse import csr
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR

Product: TypeAlias = Callable[[CSR, Array], Array]


class Case(NamedTuple):
    """A training: config names of its data and its model, and options that make it short."""

    data: str
    model: str
    options: Sequence[str]


PRODUCT_CASES = (
    Case("ml_100k", "glocal_k", ("model.pretrain.epochs=3", "model.finetune.epochs=3")),
    Case("ml_1m", "glocal_k", ("model.pretrain.epochs=1", "model.finetune.epochs=1")),
    Case("ml_100k", "gc_mc", ("model.epochs=20",)),
    Case(
        "ml_100k",
        "igmc",
        (
            "model.epochs=1",
            "model.ensemble.members=1",
            "model.ensemble.interval=1",
            "+trainer.limit_train_batches=300",
        ),
    ),
)
ALLOCATOR_CASES = (
    Case("douban", "glocal_k", ("model.pretrain.epochs=2", "model.finetune.epochs=4")),
    PRODUCT_CASES[1],
)
# An evaluation of GLocal-K allocates and frees matrices of several megabytes. By default, glibc
# returns them to the system, and each 4 KB page costs a fault when it is allocated again.
_THRESHOLDS = {
    "MALLOC_MMAP_THRESHOLD_": str(128 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
}
ALLOCATORS: dict[str, dict[str, str]] = {"default": {}, "thresholds": _THRESHOLDS}


def scipy_product(matrix: CSR, dense: Array) -> Array:
    """Compute `csr.matmul` by scipy.sparse."""
    bounds, columns, values = _without_room(matrix)
    product: Array = scipy.sparse.csr_array((values, columns, bounds), matrix.shape) @ dense
    return product


def torch_product(matrix: CSR, dense: Array) -> Array:
    """Compute `csr.matmul` by torch.sparse, which calls MKL."""
    bounds, columns, values = (torch.from_numpy(each) for each in _without_room(matrix))
    sparse = torch.sparse_csr_tensor(bounds, columns, values, matrix.shape, check_invariants=False)
    product: Array = torch.sparse.mm(sparse, torch.from_numpy(dense)).numpy()
    return product


# The first one is in use.
PRODUCTS: dict[str, Product] = {
    "numba": csr.matmul,
    "scipy": scipy_product,
    "torch": torch_product,
}


def measure_products(config: RunConfig, widths: Sequence[int], repeats: int) -> list[ProductCost]:
    """Measure products of the training ratings, by item and by user, with random dense matrices.

    Call it in a separate process, because it sets torch's number of threads.
    """
    torch.set_num_threads(1)
    train = build_source(config.data).split(config.data_dir).train
    values = train.ratings.astype(np.float32)
    shape = train.num_items, train.num_users
    matrices = {
        "items": CSR.from_triples(train.items, train.users, values, shape),
        "users": CSR.from_triples(train.users, train.items, values, shape[::-1]),
    }
    generator = torch.Generator().manual_seed(0)
    found = []
    for rows, matrix in matrices.items():
        for width in widths:
            dense = torch.randn(matrix.shape[1], width, generator=generator).numpy()
            own = csr.matmul(matrix, dense)
            same = {n: np.array_equal(f(matrix, dense), own) for n, f in PRODUCTS.items()}
            seconds: dict[str, list[float]] = {name: [] for name in PRODUCTS}
            for _ in range(repeats):
                for name, product in PRODUCTS.items():
                    start = time.process_time()
                    product(matrix, dense)
                    seconds[name].append(time.process_time() - start)
            found += [
                ProductCost(
                    data=config.data_name,
                    rows=rows,
                    width=width,
                    implementation=name,
                    seconds=seconds[name],
                    same_bits=same[name],
                )
                for name in PRODUCTS
            ]
    return found


def measure_product_trainings(
    config: RunConfig, warm_up: RunConfig, options: Sequence[str], repeats: int
) -> list[AlternativeTraining]:
    """Measure trainings with each of `PRODUCTS`. Call it in a separate process.

    Args:
        config: config of the training.
        warm_up: config of a small training, which compiles the same loops.
        options: the options that make the training short.
        repeats: number of trainings with each implementation.
    """
    torch.set_num_threads(1)
    for name in PRODUCTS:
        with _products_by(name):
            _train(warm_up)
    runs: dict[str, list[_Training]] = {name: [] for name in PRODUCTS}
    for _ in range(repeats):
        for name in PRODUCTS:
            with _products_by(name):
                runs[name].append(_train(config))
    return _summaries("product", config, options, runs)


def measure_allocator_trainings(
    config: RunConfig, options: Sequence[str], repeats: int
) -> list[AlternativeTraining]:
    """Measure trainings with each of `ALLOCATORS`, each in a separate process.

    Does nothing if the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return []
    runs: dict[str, list[_Training]] = {name: [] for name in ALLOCATORS}
    for _ in range(repeats):
        for name, variables in ALLOCATORS.items():
            with mock.patch.dict(os.environ, variables):
                runs[name].append(in_own_process(_train_at_one_thread, config))
    return _summaries("allocator", config, options, runs)


class _Training(NamedTuple):
    seconds: float
    peak_mb: float
    predictions: str  # checksum of the test predictions


def _train(config: RunConfig) -> _Training:
    split = build_source(config.data).split(config.data_dir)
    provenance.reset_peak_memory()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        completer, _ = train_once(config, split, Path(folder))
    seconds = time.process_time() - start
    predicted = completer.predict_pairs(split.test.users, split.test.items)
    checksum = hashlib.sha256(np.ascontiguousarray(predicted).tobytes()).hexdigest()
    return _Training(seconds, provenance.peak_memory_mb(), checksum)


def _train_at_one_thread(config: RunConfig) -> _Training:
    torch.set_num_threads(1)
    return _train(config)


def _summaries(
    component: str,
    config: RunConfig,
    options: Sequence[str],
    runs: Mapping[str, Sequence[_Training]],
) -> list[AlternativeTraining]:
    reference = next(iter(runs.values()))[0].predictions
    return [
        AlternativeTraining(
            component=component,
            implementation=name,
            data=config.data_name,
            model=config.model_name,
            options=list(options),
            seconds=[run.seconds for run in mine],
            peak_mb=[run.peak_mb for run in mine],
            same_bits=all(run.predictions == reference for run in mine),
        )
        for name, mine in runs.items()
    ]


@contextmanager
def _products_by(name: str) -> Iterator[None]:
    """Let every completer use the implementation `name` inside the block."""
    with (
        mock.patch.object(csr, "matmul", PRODUCTS[name]),
        mock.patch.object(convolution, "_sum_segments", _SEGMENT_SUMS[name]),
    ):
        yield


def _segments_by(product: Product) -> Callable[..., None]:
    """Return IGMC's sums over neighbors, computed as a product with the matrix of edges."""

    def sum_segments(
        starts: Array, stops: Array, ends: Array, weights: Array, weighted: bool, x: Array,
        own: Array, in_edges: Array,
    ) -> None:  # fmt: skip
        values = weights if weighted else np.ones(len(ends), x.dtype)
        summed = in_edges.shape[1] - x.shape[1]
        edges = CSR(starts, stops, ends, values, (len(starts), len(x)))
        in_edges[:, :summed] = product(edges, x).reshape(len(in_edges), summed)
        in_edges[:, summed:] = own

    return sum_segments


_SEGMENT_SUMS: dict[str, Callable[..., None]] = {
    "numba": convolution._sum_segments,
    "scipy": _segments_by(scipy_product),
    "torch": _segments_by(torch_product),
}


def _without_room(matrix: CSR) -> tuple[Array, Array, Array]:
    """Return row bounds, columns and values, without the unused room between rows."""
    sizes = matrix.stops - matrix.starts
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    if np.array_equal(bounds[:-1], matrix.starts):
        return bounds, matrix.columns[: bounds[-1]], matrix.values[: bounds[-1]]
    positions = np.arange(bounds[-1]) + np.repeat(matrix.starts - bounds[:-1], sizes)
    return bounds, matrix.columns[positions], matrix.values[positions]
