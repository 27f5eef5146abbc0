from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from simtool.device import processor
from simtool.images.preprocessing import named_preprocessing
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.model import Glow
from simtool.models.folder import model_folder
from simtool.tables.provenance import Provenance
from tests.models.flows.glow.flows import trained
from tests.photographs import prepared, write_table

Simtool = Callable[..., Any]
SIZE, GAP = 8, 2
CONFIG = GlowConfig(size=SIZE, levels=2, steps=2, width=4, classes=2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, and an untrained Glow with two classes whose weights are in the usual range."""
    home = tmp_path_factory.mktemp("home")
    write_table(home, 9)
    glow = Glow(named_preprocessing("study").adjusted(SIZE), trained(CONFIG), ["wren", "robin"])
    with model_folder(home / "glow", "train-glow") as folder:
        glow.save(folder, Provenance.of(["test"], []))
    return home


def pictures(path: Path) -> NDArray[np.uint8]:
    """A grid as (rows, columns, height, width, 3)."""
    grid = np.array(Image.open(path))
    step = SIZE + GAP
    assert [(side + GAP) % step for side in grid.shape[:2]] == [0, 0]
    rows, columns = ((side + GAP) // step for side in grid.shape[:2])
    padded = np.full((rows * step, columns * step, 3), 255, np.uint8)
    padded[: grid.shape[0], : grid.shape[1]] = grid
    cells = padded.reshape(rows, step, columns, step, 3).swapaxes(1, 2)
    assert (cells[:, :, SIZE:] == 255).all()
    return cells[:, :, :SIZE, :SIZE]


def drawn(simtool: Simtool, home: Path, out: Path, *options: object) -> NDArray[np.uint8]:
    ran = simtool("sample", home / "glow", "--out", out, *options)
    assert ran.code == 0
    assert ran.err.startswith(f"device {processor().words('float32')}\n")
    assert f"wrote  {out}" in ran.err
    return pictures(out)


def test_samples_have_a_row_for_each_temperature(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    found = drawn(simtool, home, tmp_path / "s.png", "--columns", 3, "--temperature", 0, "--temperature", 0.8)
    assert found.shape[:2] == (2, 3)
    assert (found[0, 0] == found[0, 1]).all()  # without chance there is only the one image that is expected
    assert (found[1, 0] != found[1, 1]).any()


def test_a_seed_gives_the_same_samples(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    first, again, other = (drawn(simtool, home, tmp_path / "s.png", "--seed", seed) for seed in (3, 3, 4))
    assert first.shape[:2] == (6, 8)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_samples_of_a_class_follow_its_prior(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    wren, robin = (
        drawn(simtool, home, tmp_path / "s.png", "--class", name, "--temperature", 0) for name in ("wren", "robin")
    )
    assert (wren != robin).any()


def expected(home: Path, number: int) -> NDArray[np.uint8]:
    values = prepared(home / f"photographs/{number}.jpg", 0.8, SIZE)
    found: NDArray[np.uint8] = np.floor((values + 0.5) * 255 + 1e-3).astype(np.uint8)
    return found


def test_reconstructions_from_all_scales_are_the_images(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    options = ("--reconstruct", home / "images.parquet", "--image", "bird-5", "--image", "bird-2")
    found = drawn(simtool, home, tmp_path / "r.png", *options)
    assert found.shape[:2] == (3, 2)
    for column, number in enumerate((5, 2)):
        np.testing.assert_array_equal(found[0, column], expected(home, number))
        np.testing.assert_array_equal(found[1, column], expected(home, number))
        assert (found[2, column] != found[0, column]).any()


def test_interpolations_begin_and_end_with_images(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    names = [word for number in (1, 7, 4) for word in ("--image", f"bird-{number}")]
    found = drawn(simtool, home, tmp_path / "i.png", "--interpolate", home / "images.parquet", *names, "--columns", 5)
    assert found.shape[:2] == (2, 5)
    for row, (start, end) in enumerate(((1, 7), (7, 4))):
        np.testing.assert_array_equal(found[row, 0], expected(home, start))
        np.testing.assert_array_equal(found[row, -1], expected(home, end))
        assert (found[row, 2] != found[row, 0]).any()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--class", "crow"), "this model has no class crow; it has wren, robin"),
        (("--temperature", "inf"), "a temperature must be a finite number"),
        (("--image", "bird-1"), "--image needs --reconstruct or --interpolate"),
        (("--reconstruct", "IMAGES", "--temperature", "1"), "--temperature and --class are only for samples"),
        (("--reconstruct", "IMAGES", "--interpolate", "IMAGES"), "make two files; run the command twice"),
        (("--interpolate", "IMAGES", "--image", "bird-1"), "--interpolate needs at least 2 columns and 2 images"),
        (
            ("--reconstruct", "IMAGES", "--image", "bird-99"),
            "lacks images that are needed (1 of 1): bird-99; its ids are ",
        ),
    ],
)
def test_wrong_usage_has_exit_code_2(
    simtool: Simtool, home: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    arguments = [home / "images.parquet" if option == "IMAGES" else option for option in options]
    ran = simtool("sample", home / "glow", "--out", tmp_path / "s.png", *arguments)
    assert ran.code == 2
    assert complaint in " ".join(ran.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_job_with_a_gpu_that_cannot_be_used_is_refused(
    simtool: Simtool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")
    ran = simtool("sample", home / "glow", "--out", tmp_path / "s.png")
    assert ran.code == 1
    assert ran.err.startswith("error: SLURM gave this job a GPU (SLURM_JOB_GPUS=0), but TensorFlow finds none")
    assert list(tmp_path.iterdir()) == []
    assert drawn(simtool, home, tmp_path / "s.png", "--device", "cpu", "--temperature", 0).shape[:2] == (1, 8)


def test_a_model_without_images_is_refused(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "pca", "--size", 8, "--components", 2)
    assert simtool("fit-pca", home / "images.parquet", *options).code == 0
    ran = simtool("sample", tmp_path / "pca", "--out", tmp_path / "s.png")
    assert ran.code == 1
    assert "a model of kind pca cannot generate images" in ran.err


def test_an_interpolation_needs_a_table_of_two_images(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    one = write_table(tmp_path, 1)
    ran = simtool("sample", home / "glow", "--out", tmp_path / "i.png", "--interpolate", one)
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"error: {one}: --interpolate needs at least 2 images; the table has 1"
    assert drawn(simtool, home, tmp_path / "r.png", "--reconstruct", one).shape[:2] == (3, 1)
