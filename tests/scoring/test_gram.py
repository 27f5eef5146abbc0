from __future__ import annotations

import numpy as np
import pytest

from simtool.scoring import kernels
from simtool.scoring.gram import add_gram_squares, gram_is_cheaper, gram_tiles
from simtool.scoring.pairs import Pairs


def random_pairs(images: int, count: int) -> Pairs:
    rng = np.random.default_rng(0)
    left = rng.integers(0, images, count).astype(np.int32)
    right = ((left + rng.integers(1, images, count)) % images).astype(np.int32)
    return Pairs.of(left, right, images)[0]


def test_tiles_cover_every_pair_once() -> None:
    pairs = random_pairs(1300, 3000)
    covered: list[int] = []
    for tile in gram_tiles(pairs):
        covered += range(tile.pairs.start, tile.pairs.stop)
        for side, images in ((tile.rows, pairs.first), (tile.columns, pairs.second)):
            inside = images[tile.pairs]
            assert ((side.start <= inside) & (inside < side.stop)).all()
    assert covered == list(range(len(pairs)))


def test_tiles_without_a_pair_are_passed_over() -> None:
    near = np.arange(2999, dtype=np.int32)
    pairs, _ = Pairs.of(near, near + 1, 3000)
    assert len(gram_tiles(pairs)) == 6 + 5


@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_a_matrix_product_gives_the_squares_of_the_loop(mean: float) -> None:
    block = (np.random.default_rng(1).standard_normal((700, 40)) + mean).astype(np.float32)
    pairs = random_pairs(700, 5000)
    loop, product, norms = np.zeros(len(pairs)), np.zeros(len(pairs)), np.zeros(700)
    kernels.add_over_pairs(kernels.SQUARES, block, pairs, loop)
    add_gram_squares(block, pairs, gram_tiles(pairs), product, norms)
    np.testing.assert_allclose(product, loop, rtol=1e-13)


def test_dense_pairs_are_multiplied_and_sparse_ones_visited() -> None:
    dense, sparse = random_pairs(600, 300_000), random_pairs(20_000, 100_000)
    assert gram_is_cheaper(dense, gram_tiles(dense))
    assert not gram_is_cheaper(sparse, gram_tiles(sparse))
