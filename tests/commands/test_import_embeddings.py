from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simtool import stages
from simtool.tables.embeddings import open_embeddings, write_embeddings
from simtool.tables.images import Images, write_images
from simtool.tables.provenance import Provenance
from simtool.tables.trials import write_trials
from tests.scoring.judged import some_trials, some_vectors

Simtool = Callable[..., Any]
NAMES = [f"{letter}.jpg" for letter in "abcde"]
NUMBERS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an array and its names."""
    monkeypatch.chdir(tmp_path)
    np.save("features.npy", NUMBERS)
    Path("names.txt").write_text("\n".join(NAMES))
    return tmp_path


def test_an_array_and_its_names_become_a_table(simtool: Simtool, home: Path) -> None:
    ran = simtool("import-embeddings", "features.npy", "--ids", "names.txt", "--out", "clip.parquet")
    assert ran.code == 0, ran.err
    table = open_embeddings(Path("clip.parquet"))
    assert (table.info.name, table.image_id.tolist()) == ("clip", NAMES)
    np.testing.assert_array_equal(table.read(), NUMBERS)
    assert "read   features.npy: 5 vectors of 3 values" in ran.err
    assert "wrote  clip.parquet: 5 vectors of 3 values" in ran.err
    assert table.provenance is not None
    assert [entry.name for entry in table.provenance.inputs] == ["features.npy", "names.txt"]


def test_without_a_file_the_table_stays_in_memory(home: Path) -> None:
    table = stages.import_embeddings("features.npy", ids="names.txt", name="CLIP")
    assert table.info.name == "CLIP"
    np.testing.assert_array_equal(table.read(), NUMBERS)
    assert {path.name for path in home.iterdir()} == {"features.npy", "names.txt"}


def test_the_ids_are_those_of_a_table_of_images(simtool: Simtool, home: Path) -> None:
    ids = [f"birds/{name.upper()}" for name in [*NAMES, "f.jpg"]]
    write_images(Path("images.parquet"), Images.build(ids, ids), Provenance.of([], []))
    options = ("--ids", "names.txt", "--images", "images.parquet", "--out", "out.parquet")
    ran = simtool("import-embeddings", "features.npy", *options)
    assert ran.code == 0, ran.err
    assert open_embeddings(Path("out.parquet")).image_id.tolist() == ids[:5]
    assert "images.parquet: matched 5 of 5 images by spelling (case, folders)" in ran.err


def test_a_name_that_is_no_image_is_refused(simtool: Simtool, home: Path) -> None:
    write_images(Path("images.parquet"), Images.build(NAMES[1:], NAMES[1:]), Provenance.of([], []))
    options = ("--ids", "names.txt", "--images", "images.parquet", "--out", "out.parquet")
    ran = simtool("import-embeddings", "features.npy", *options)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: images.parquet: lacks images that are needed (1 of 5): a.jpg;")
    assert not Path("out.parquet").exists()


def test_activations_keep_their_shape_in_the_metadata(home: Path) -> None:
    np.save("conv.npy", np.arange(5 * 4 * 2 * 3.0).reshape(5, 4, 2, 3))
    stages.import_embeddings("conv.npy", "conv.parquet", ids="names.txt")
    table = open_embeddings(Path("conv.parquet"))
    assert table.info.shape == (4, 2, 3)
    np.testing.assert_array_equal(table.read(), np.arange(5 * 24).reshape(5, 24))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scalar", [True, False])
def test_the_transform_of_glocal_is_applied(home: Path, bias: bool, scalar: bool) -> None:
    random = np.random.default_rng(1)
    mean, std = (0.5, 2.0) if scalar else (random.normal(size=3), random.uniform(1, 2, 3))
    arrays: dict[str, Any] = {
        "weights": random.normal(size=(3, 2)),
        **({"bias": random.normal(size=2)} if bias else {}),
    }
    np.savez_compressed("transform.npz", mean=mean, std=std, **arrays)
    table = stages.import_embeddings("features.npy", ids="names.txt", transform="transform.npz")
    expected = ((NUMBERS - mean) / std) @ arrays["weights"] + arrays.get("bias", 0)
    np.testing.assert_allclose(table.read(), expected, rtol=1e-5, atol=1e-6)
    assert table.info.shape == (2,)


def test_a_table_of_embeddings_is_transformed(home: Path) -> None:
    write_embeddings(Path("net.parquet"), NAMES, NUMBERS, Provenance.of([], []), "net")
    np.savez("transform.npz", mean=0.0, std=0.5, weights=np.eye(3))
    table = stages.import_embeddings("net.parquet", transform="transform.npz")
    np.testing.assert_array_equal(table.read(), 2 * NUMBERS)


def test_a_table_in_parts_is_one_table(home: Path) -> None:
    for at, rows in enumerate((slice(0, 2), slice(2, 5))):
        part = Path("net") / f"part-{at:05}-of-00002.parquet"
        write_embeddings(part, NAMES[rows], NUMBERS[rows], Provenance.of([], []), "net")
    table = stages.import_embeddings("net")
    assert table.image_id.tolist() == NAMES
    np.testing.assert_array_equal(table.read(), NUMBERS)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"weights": np.eye(4), "mean": 0, "std": 1}, "weights have the shape (4, 4); the vectors have 3 values"),
        ({"weights": np.eye(3), "mean": 0}, "not a transform of gLocal: it lacks std"),
        ({"weights": np.eye(3), "mean": 0, "std": 0}, "it holds NaN, infinity, or a std of 0"),
        (
            {"weights": np.eye(3), "mean": 0, "std": 1, "bias": np.ones(2)},
            "a bias of (2,) do not fit weights of (3, 3)",
        ),
    ],
)
def test_a_transform_that_does_not_fit_is_refused(
    simtool: Simtool, home: Path, arrays: dict[str, Any], reason: str
) -> None:
    np.savez("transform.npz", **arrays)
    options = ("--ids", "names.txt", "--transform", "transform.npz", "--out", "out.parquet")
    ran = simtool("import-embeddings", "features.npy", *options)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: transform.npz: ")
    assert reason in ran.err
    assert not Path("out.parquet").exists()


def test_a_large_array_is_imported_in_bounded_memory(home: Path) -> None:
    array = np.arange(20_000 * 1_000, dtype=np.float32).reshape(20_000, 1_000)
    np.save("large.npy", array)
    Path("large.txt").write_text("\n".join(f"{at}.jpg" for at in range(20_000)))
    tracemalloc.start()
    stages.import_embeddings("large.npy", "large.parquet", ids="large.txt")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes
    np.testing.assert_array_equal(open_embeddings(Path("large.parquet")).read(), array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_leaves_no_table(simtool: Simtool, home: Path, value: float) -> None:
    np.save("features.npy", np.where(np.arange(15).reshape(5, 3) == 7, value, NUMBERS))
    ran = simtool("import-embeddings", "features.npy", "--ids", "names.txt", "--out", "out.parquet")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "error: features.npy: NaN or infinity in 1 vector: c.jpg"
    assert not Path("out.parquet").exists()


def test_values_beyond_single_precision_are_refused(simtool: Simtool, home: Path) -> None:
    np.save("features.npy", 1e300 * NUMBERS.astype(np.float64))
    ran = simtool("import-embeddings", "features.npy", "--ids", "names.txt", "--out", "out.parquet")
    assert ran.code == 1
    assert "features.npy: its values are too large" in ran.err


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("features.pkl", b"\x80\x04\x95\n\0\0\0\0\0\0\0]\x94K\x01a.", "simtool does not load pickles"),
        ("features.json", b'{"a.jpg": [1, 2]}', "not vectors that simtool import-embeddings reads"),
        (
            "features.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "save the sheet as CSV UTF-8, with the ids",
        ),
    ],
)
def test_other_files_are_refused_with_what_to_do(
    simtool: Simtool, home: Path, name: str, content: bytes, reason: str
) -> None:
    Path(name).write_bytes(content)
    ran = simtool("import-embeddings", name, "--out", "out.parquet")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith(f"error: {name}: this is ")
    assert reason in ran.err


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--module", "--module: features.npy is not a folder of thingsvision, which has modules"),
        ("--dataset", "--dataset: features.npy is a NumPy array (.npy), which holds one array"),
    ],
)
def test_an_option_of_other_sources_is_wrong_usage(simtool: Simtool, home: Path, option: str, reason: str) -> None:
    ran = simtool("import-embeddings", "features.npy", "--ids", "names.txt", option, "fc", "--out", "out.parquet")
    assert ran.code == 2
    assert reason in ran.err


def test_imported_vectors_are_scored_as_the_same_table_is(home: Path) -> None:
    trials, vectors = some_trials(40), some_vectors("gaussian")
    write_trials(Path("trials.parquet"), trials, Provenance.of([], []))
    pd.DataFrame(vectors, index=pd.Index(trials.images, name="image")).to_csv("vectors.csv")
    imported = stages.import_embeddings("vectors.csv", "vectors.parquet")
    write_embeddings(Path("same.parquet"), trials.images, vectors, Provenance.of([], []), "same")
    one, other = stages.score([imported, "same.parquet"], "trials.parquet", distances=["mse"]).outcomes
    assert (one.model, other.model) == ("vectors", "same")
    np.testing.assert_array_equal(one.credit, other.credit)


@pytest.mark.parametrize(
    ("file", "content", "layout"),
    [
        ("odd.csv", "image_1,image_2,image_3,odd_one\na,b,c,a\nb,c,d,d\n", "csv"),
        ("choices.csv", "query,reference_1,reference_2,selected_1\na,b,c,b\nb,c,d,d\n", "csv"),
        ("raw.csv", "image1\timage2\timage3\tchoice\tHIT_nr\n1\t2\t3\t1\t1\n2\t3\t4\t1\t1\n", "things-raw"),
        ("brain.csv", "img1,img2,ooo\n0,1,2\n1,2,3\n", "hebart2023"),
    ],
)
@pytest.mark.parametrize("command", ["import-embeddings", "import-distances"])
def test_judgments_are_refused_with_the_command_that_takes_them(
    simtool: Simtool, home: Path, command: str, file: str, content: str, layout: str
) -> None:
    Path(file).write_text(content)
    ran = simtool(command, file, "--out", "out.parquet")
    complaint = f"error: {file}: these are judgments (format {layout}); simtool import-trials takes them"
    assert (ran.code, ran.err.strip().splitlines()[-1]) == (1, complaint)
    assert not Path("out.parquet").exists()


def test_distances_are_refused_and_other_square_arrays_are_vectors(simtool: Simtool, home: Path) -> None:
    apart = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    np.save("rdm.npy", apart)
    pd.DataFrame(apart, NAMES, NAMES).to_csv("rdm.csv")
    for source in (["rdm.npy", "--ids", "names.txt"], ["rdm.csv"]):
        ran = simtool("import-embeddings", *source, "--out", "out.parquet")
        assert ran.code == 1
        assert (
            "this is a square matrix of distances (symmetric, with a zero diagonal), not vectors; simtool " in ran.err
        )
        assert ran.err.strip().endswith("import-distances takes it")
    for square in (np.eye(5), np.zeros((5, 5)), np.triu(apart), apart + 1):
        np.save("square.npy", square)
        np.testing.assert_array_equal(stages.import_embeddings("square.npy", ids="names.txt").read(), square)


@pytest.mark.parametrize("command", ["import-embeddings", "import-distances", "import-trials"])
def test_another_table_of_simtool_is_named(simtool: Simtool, home: Path, command: str) -> None:
    write_images(Path("images.parquet"), Images.build(NAMES, NAMES), Provenance.of([], []))
    ran = simtool(command, "images.parquet", "--out", "out.parquet")
    assert ran.code == 1
    assert "error: images.parquet: this is a table of images, not of " in ran.err
    assert "simtool embed, fit-pca" in ran.err
