"""Networks in SavedModels of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape
from simtool.models.pooling import split_layer
from simtool.models.runtimes import Execution
from simtool.models.saved_model import files_of, load_saved_model
from simtool.models.sources import ModelOptions, source_of
from simtool.stages.embedding import embed
from simtool.tables.embeddings import open_embeddings
from simtool.tensorflow import load_tensorflow
from tests.models.onnx_networks import KERNEL, activations
from tests.photographs import write_table

RECIPE = named_preprocessing("unit")
IMAGES = np.random.default_rng(0).normal(size=(5, 6, 6, 3)).astype(np.float32)


def write(
    path: Path,
    shape: tuple[int | None, ...] = (None, 6, 6, 3),
    kind: str = "float32",
    compute: Callable[[Any, Any], dict[str, Any]] | None = None,
    names: tuple[str, ...] = ("serving_default",),
) -> Path:
    """Save a 1 x 1 convolution with a rectifier: its maps, their means, and the number of images.

    Args:
        path: of the folder.
        shape: of the input ``images``.
        kind: the type of the input.
        compute: from images and kernel to outputs, instead.
        names: of the signatures.
    """
    tf = load_tensorflow()
    network: Any = tf.Module()
    network.kernel = tf.Variable(KERNEL[:, :, 0, 0].T)

    def run(images: Any) -> dict[str, Any]:
        if compute is not None:
            return compute(images, network.kernel)
        turned = tf.transpose(images, (0, 2, 3, 1)) if shape[1] == 3 else images
        maps = tf.nn.relu(tf.cast(turned, tf.float32) @ network.kernel)
        maps_out = tf.transpose(maps, (0, 3, 1, 2)) if shape[1] == 3 else maps
        return {"pooled": tf.reduce_mean(maps, (1, 2)), "maps": maps_out, "count": tf.shape(images)[0]}

    network.run = tf.function(run, input_signature=[tf.TensorSpec(shape, getattr(tf, kind), name="images")])
    tf.saved_model.save(network, str(path), signatures=dict.fromkeys(names, network.run))
    return path


@pytest.mark.parametrize("shape", [(None, 6, 6, 3), (None, 3, 6, 6), (2, 6, 6, 3), (None, None, None, 3)])
def test_a_layer_is_an_output_of_the_signature(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    network = load_saved_model(write(tmp_path / "small", shape), RECIPE, 6)
    expected = activations(IMAGES)
    np.testing.assert_allclose(network.embed(IMAGES, "pooled"), expected.mean(axis=(1, 2)), atol=1e-6)
    averaged, whole = network.embed_layers(IMAGES, ("maps", "maps:flat"))
    np.testing.assert_allclose(averaged, expected.mean(axis=(1, 2)), atol=1e-6)
    first = shape[1] == 3
    np.testing.assert_allclose(whole, (expected.transpose(0, 3, 1, 2) if first else expected).reshape(5, -1), atol=1e-6)
    maps = LayerShape("maps", (5, 6, 6) if first else (6, 6, 5), 5)
    assert network.all_layers() == [maps, LayerShape("pooled", (5,), 5)]
    assert network.output("maps").name == "small maps"


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])
@pytest.mark.parametrize("shape", [(None, 6, 6, 3), (None, 3, 6, 6)])
def test_an_output_with_a_map_is_pooled(shape: tuple[int | None, ...], runtime: str, tmp_path: Path) -> None:
    network = load_saved_model(write(tmp_path / "small", shape), RECIPE).executed(Execution(runtime))
    layers = [f"maps:pool={pool},window=0.5" for pool in ("mean", "mean+std", "max")]
    for layer, found in zip(layers, network.embed_layers(IMAGES, layers), strict=True):
        np.testing.assert_allclose(found, split_layer(layer)[1].vectors(activations(IMAGES), np), atol=1e-6)
    assert network.output("maps:window=0.5").name == "small maps (window 0.5)"
    with pytest.raises(
        ModelError,
        match=r"^layer pooled of small has no map, but a vector of 5 values; .*with a map, which --list-layers shows$",
    ):
        network.output("pooled:window=0.5")


def test_one_output_is_the_default_and_several_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^small has the layers maps, pooled; choose with --layer$"):
        load_saved_model(write(tmp_path / "small"), RECIPE).output()
    with pytest.raises(ModelError, match=r"^small has no layer pool; it has pooled$"):
        load_saved_model(tmp_path / "small", RECIPE).output("pool")
    one = write(tmp_path / "one", compute=lambda images, kernel: {"tokens": images[:, 0] @ kernel})
    network = load_saved_model(one, RECIPE)
    np.testing.assert_allclose(network.embed(IMAGES), (IMAGES[:, 0] @ KERNEL[:, :, 0, 0].T).mean(axis=1), atol=1e-6)


def test_a_signature_is_chosen_by_its_name(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", names=("features",))
    assert load_saved_model(alone, RECIPE).layers == ("maps", "pooled")
    several = write(tmp_path / "several", names=("a", "b"))
    with pytest.raises(ModelError, match="there is no signature serving_default; it has a, b; choose with --signature"):
        load_saved_model(several, RECIPE)
    with pytest.raises(ModelError, match="there is no signature c; it has a, b"):
        load_saved_model(several, RECIPE, signature="c")
    assert load_saved_model(several, RECIPE, signature="b").layers == ("maps", "pooled")
    with pytest.raises(ModelError, match="there is no signature serving_default; save it with signatures="):
        load_saved_model(write(tmp_path / "none", names=()), RECIPE)


def test_other_inputs_and_outputs_are_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"one input of real numbers, .*, not images \(None, 6, 6, 3\) uint8$"):
        load_saved_model(write(tmp_path / "bytes", kind="uint8"), RECIPE)
    with pytest.raises(ModelError, match=r"not images \(None, 6, 6, 4\) float32$"):
        four = write(tmp_path / "four", (None, 6, 6, 4), compute=lambda images, _: {"mean": images[:, 0, 0]})
        load_saved_model(four, RECIPE)
    with pytest.raises(ModelError, match="the network expects 6 by 6 pixels, not 7"):
        load_saved_model(write(tmp_path / "fixed"), RECIPE, 7)
    with pytest.raises(ModelError, match=r"no output of the signature gives vectors, only n$"):
        scalar = write(tmp_path / "scalar", compute=lambda images, _: {"n": images[0, 0, 0, 0]})
        load_saved_model(scalar, RECIPE)
    with pytest.raises(ModelError, match=r"^[^\n]*the network does not take images of 6 by 6: [^\n]+$"):
        tf = load_tensorflow()
        odd = write(
            tmp_path / "odd", (None, None, None, 3), compute=lambda images, _: {"n": tf.reshape(images, (-1, 75))}
        )
        load_saved_model(odd, RECIPE, 6)


def graphs_that_do_more() -> dict[str, Callable[[Any, Any], dict[str, Any]]]:
    tf = load_tensorflow()

    def nested(images: Any, _: Any) -> dict[str, Any]:
        def written() -> Any:
            tf.io.write_file("written", "text")
            return images[:, 0, 0]

        return {"n": tf.cond(tf.reduce_sum(images) > 0, written, lambda: images[:, 0, 0])}

    def printed(images: Any, _: Any) -> dict[str, Any]:
        tf.print(images, output_stream="file://written")
        return {"n": images[:, 0, 0]}

    def saved(images: Any, _: Any) -> dict[str, Any]:
        tf.raw_ops.SaveV2(prefix="written", tensor_names=["a"], shape_and_slices=[""], tensors=[images])
        return {"n": images[:, 0, 0]}

    return {
        "ReadFile": lambda images, _: {"n": images[:, 0, 0], "secret": tf.io.read_file("/etc/hostname")},
        "WriteFile": nested,
        "PrintV2": printed,
        "EagerPyFunc": lambda images, _: {"n": tf.py_function(lambda x: x[:, 0, 0], [images], tf.float32)},
        "SaveV2": saved,
    }


@pytest.mark.parametrize("operation", ["ReadFile", "WriteFile", "PrintV2", "EagerPyFunc", "SaveV2"])
def test_a_graph_that_does_more_than_compute_is_refused_before_it_runs(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "unsafe", compute=graphs_that_do_more()[operation])
    with pytest.raises(ModelError, match=rf"read or write files, or call Python \(operations {operation}\)"):
        load_saved_model(path, RECIPE)
    assert [file.name for file in tmp_path.iterdir()] == ["unsafe"]


def test_damaged_and_other_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "small")
    graph = path / "saved_model.pb"
    with pytest.raises(ModelError, match="this is the graph of a SavedModel; give its folder"):
        load_saved_model(graph, RECIPE)
    content = graph.read_bytes()
    for damage in (content[: len(content) // 2], b"text", b""):
        graph.write_bytes(damage)
        with pytest.raises(ModelError, match=r"^[^\n]*small: [^\n]+$"):
            load_saved_model(path, RECIPE)
    graph.write_bytes(content)
    (path / "variables" / "variables.index").unlink()
    with pytest.raises(ModelError, match=r"^[^\n]*small: TensorFlow cannot load it: [^\n]+$"):
        load_saved_model(path, RECIPE)
    graph.rename(path / "saved_model.pbtxt")
    with pytest.raises(ModelError, match=r"it has no saved_model.pb; save it again with tf.saved_model.save"):
        load_saved_model(path, RECIPE)


def test_a_savedmodel_of_tensorflow_1_is_refused(tmp_path: Path) -> None:
    tf = load_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.compat.v1.placeholder(tf.float32, (None, 6, 6, 3))
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "old"), {"images": images}, {"n": images[:, 0, 0]})
    with pytest.raises(ModelError, match=r"it holds no functions of TensorFlow 2; load it with tf.saved_model.load"):
        load_saved_model(tmp_path / "old", RECIPE)


def test_openvino_computes_the_same(tmp_path: Path) -> None:
    network = load_saved_model(write(tmp_path / "small"), RECIPE)
    other = network.executed(Execution("openvino"))
    for layer in ("pooled", "maps", "maps:flat"):
        np.testing.assert_allclose(other.embed(IMAGES, layer), network.embed(IMAGES, layer), atol=1e-5)


def test_the_export_of_keras_is_embedded_with_as_the_network_itself(tmp_path: Path) -> None:
    load_tensorflow()
    import keras

    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    network.export(tmp_path / "exported", verbose=False)
    images = write_table(tmp_path, 3)
    [pixels] = embed(images, "pixels", preprocessing="torch", size=8)
    expected = network.predict_on_batch(pixels.read().reshape(-1, 8, 8, 3))
    out = tmp_path / "vectors.parquet"
    embed(images, tmp_path / "exported", out, preprocessing="torch", signature="serve")
    table = open_embeddings(out)
    np.testing.assert_allclose(table.read(), expected, atol=1e-6)
    assert table.info.name == "exported output_0"
    assert table.provenance is not None
    assert {Path(entry.name).name for entry in table.provenance.inputs} >= {"saved_model.pb", "variables.index"}


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_a_note_says_that_network_and_preprocessing_scale_colors(
    scale: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_tensorflow()
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(scale, -1.0, name="scale"), keras.layers.Conv2D(4, 3)]
    keras.Sequential(layers).export(tmp_path / "keras", verbose=False)
    load_saved_model(tmp_path / "keras", named_preprocessing("bytes"))
    assert not capsys.readouterr().err
    load_saved_model(tmp_path / "keras", RECIPE)
    note = capsys.readouterr().err
    assert ("the network scales colors itself (operation " in note) == (scale < 1)


@pytest.mark.parametrize("divisor", [127.5, 0.229])
def test_a_division_in_an_inner_function_is_found(
    divisor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "small", compute=lambda images, kernel: {"n": ((images - 0.5) / divisor)[:, 0] @ kernel})
    load_saved_model(path, RECIPE)
    assert ("scales colors itself (operation " in capsys.readouterr().err) == (divisor > 1)


def test_its_source_lists_all_files_and_the_weights_depend_on_them(tmp_path: Path) -> None:
    path = write(tmp_path / "small")
    source = source_of(path, ModelOptions())
    assert source.inputs == files_of(path)
    assert {file.name for file in files_of(path)} >= {"saved_model.pb", "variables.index"}
    before = source.inspected(ModelOptions()).weights
    (path / "assets" / "note.txt").write_text("another")
    assert source.inspected(ModelOptions()).weights != before
