from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from simtool.models.flows.drawing import great_circle, write_grid


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_an_interpolation_turns_evenly_and_keeps_its_length(steps: int, seed: int) -> None:
    start, end = np.random.default_rng(seed).standard_normal((2, 3, 7)).astype(np.float32)
    points = np.stack(great_circle(start, end, steps)).astype(np.float64)
    np.testing.assert_allclose(points[0], start, atol=1e-5)
    np.testing.assert_allclose(points[-1], end, atol=1e-5)
    lengths = np.linalg.norm(points, axis=2)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], steps), rtol=1e-4)
    units = points / lengths[..., None]
    turns = np.arccos(np.clip((units[1:] * units[:-1]).sum(2), -1, 1))
    np.testing.assert_allclose(turns, np.broadcast_to(turns.mean(0), turns.shape), atol=1e-3)


def test_an_interpolation_between_equal_points_stays_there() -> None:
    start = np.array([[1, 2, 2]], np.float32)
    np.testing.assert_allclose(np.concatenate(great_circle(start, start, 3)), np.repeat(start, 3, 0), rtol=1e-6)
    np.testing.assert_allclose(great_circle(start, 3 * start, 3)[1], 2 * start, rtol=1e-6)


def test_a_grid_shows_bytes_unchanged_and_clips_other_values(tmp_path: Path) -> None:
    bytes_ = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1).repeat(3, -1)
    beyond = np.full((1, 16, 16, 3), 7.0, np.float32)
    broken = np.full((1, 16, 16, 3), np.nan, np.float32)
    rows = [np.concatenate([(bytes_ + 0.5) / 256 - 0.5, beyond]), np.concatenate([-beyond, broken])]
    write_grid(tmp_path / "grid.png", rows)
    found = np.array(Image.open(tmp_path / "grid.png"))
    assert found.shape == (34, 34, 3)
    np.testing.assert_array_equal(found[:16, :16], bytes_[0])
    assert (found[:16, 18:] == 255).all()
    assert (found[18:] == 0)[:, :16].all()
    assert (found[18:, 18:] == 0).all()
    assert (found[16:18] == 255).all()
