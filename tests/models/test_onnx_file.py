"""Networks in .onnx files."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape
from simtool.models.onnx_file import ORIGIN, PREPROCESSING, UNTRAINED, files_of, load_onnx_file, stated_preprocessing
from simtool.models.pooling import Pool, Pooling
from simtool.models.runtimes import Execution
from simtool.system.processor import has_bfloat16
from simtool.tables.provenance import sha256_of
from tests.models.onnx_networks import activations, embedded, write_network

RECIPE = named_preprocessing("torch")
IMAGES = np.random.default_rng(0).normal(size=(5, 6, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("batch", ["batch", 0, 2])
@pytest.mark.parametrize("channels_first", [True, False])
def test_images_are_given_in_the_order_and_number_that_the_network_takes(
    channels_first: bool, batch: object, tmp_path: Path
) -> None:
    shape = (batch, 3, 6, 6) if channels_first else (batch, 6, 6, 3)
    network = load_onnx_file(write_network(tmp_path / "net.onnx", shape, channels_first), RECIPE)
    assert network.preprocessing == RECIPE.adjusted(6)
    assert network.layers == ("embedding", "pooled")
    np.testing.assert_allclose(network.embed(IMAGES), embedded(IMAGES), atol=1e-5)
    assert network.embed(IMAGES[:0]).shape == (0, 4)


def test_any_tensor_is_a_layer_and_several_are_computed_in_one_pass(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    assert network.output("rectified").shape == (5,)
    assert network.output("rectified:flat").shape == (5, 6, 6)
    maps = activations(IMAGES)
    pooled, flat, embedding = network.embed_layers(IMAGES, ("rectified", "rectified:flat", "embedding"))
    np.testing.assert_allclose(pooled, maps.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(flat, maps.transpose(0, 3, 1, 2).reshape(5, -1), atol=1e-5)
    np.testing.assert_allclose(embedding, embedded(IMAGES), atol=1e-5)
    with pytest.raises(ModelError, match="net has no layer rectifed; it has embedding, pooled, and tensors such as re"):
        network.output("rectifed")


@pytest.mark.parametrize("pool", ["mean", "mean+std", "max", "flat"])
@pytest.mark.parametrize("channels_first", [True, False])
def test_poolings_are_those_of_the_map_in_numpy(channels_first: bool, pool: str, tmp_path: Path) -> None:
    shape = ("batch", 3, 6, 6) if channels_first else ("batch", 6, 6, 3)
    network = load_onnx_file(write_network(tmp_path / "net.onnx", shape, channels_first), RECIPE)
    maps = activations(IMAGES).transpose(0, 3, 1, 2)
    for window in (1, 0.5):
        layer = f"rectified:pool={pool},window={window}"
        expected = Pooling(Pool(pool), window).vectors(maps, np, channels=1)
        np.testing.assert_allclose(network.embed(IMAGES, layer), expected, atol=1e-5)
        assert network.output(layer).dimension == expected.shape[1]


def test_a_vector_has_nothing_to_pool(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    for layer in ("pooled", "mean"):  # (b, 5), and (b, 5, 1, 1)
        with pytest.raises(
            ModelError, match=rf"^layer {layer} of net has no map, but a vector of 5 values; leave out "
        ):
            network.output(f"{layer}:pool=max")


def test_the_name_of_a_node_is_a_layer_too(tmp_path: Path) -> None:
    content = onnx.load(write_network(tmp_path / "net.onnx"))
    content.graph.node[3].name = "the/rectifier"
    onnx.save_model(content, tmp_path / "net.onnx")
    network = load_onnx_file(tmp_path / "net.onnx", RECIPE)
    for suffix in ("", ":flat"):
        np.testing.assert_array_equal(
            network.embed(IMAGES, f"the/rectifier{suffix}"), network.embed(IMAGES, f"rectified{suffix}")
        )


def test_all_layers_are_the_outputs_then_the_other_tensors_with_vectors(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    listed = network.all_layers()
    assert listed[:2] == [LayerShape("embedding", (4,), 4), LayerShape("pooled", (5,), 5)]
    assert LayerShape("rectified", (5, 6, 6), 5) in listed
    for layer in listed:
        assert network.embed(IMAGES, layer.name).shape == (5, layer.dimension)


def test_a_map_is_averaged_over_pixels_where_a_network_turns_images_for_its_convolutions(tmp_path: Path) -> None:
    """Networks from Keras take (b, height, width, 3); their convolutions compute (b, channels, height, width)."""
    network = load_onnx_file(write_network(tmp_path / "net.onnx", ("batch", 6, 6, 3), channels_first=False), RECIPE)
    maps = activations(IMAGES)
    np.testing.assert_allclose(network.embed(IMAGES, "rectified"), maps.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(network.embed(IMAGES, "numbers"), IMAGES.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(network.embed(IMAGES, "turned"), IMAGES.mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("stated", ["torch", "study:background=black", RECIPE.adjusted(6, 0.5).to_text()])
def test_the_metadata_of_a_file_can_state_the_preprocessing(stated: str, tmp_path: Path) -> None:
    content = onnx.load(write_network(tmp_path / "net.onnx"))
    onnx.helper.set_model_props(content, {"preprocessing": "caffe", "mean": "0.5", PREPROCESSING: stated})
    onnx.save_model(content, tmp_path / "net.onnx")
    expected = RECIPE.adjusted(6, 0.5) if stated.startswith("{") else named_preprocessing(stated)
    assert stated_preprocessing(tmp_path / "net.onnx") == expected


def test_keys_of_other_programs_state_no_preprocessing(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx")
    assert stated_preprocessing(path) is None
    content = onnx.load(path)
    onnx.helper.set_model_props(content, {"preprocessing": "caffe", "mean": "0.5", "recipe": "torch"})
    onnx.save_model(content, path)
    assert stated_preprocessing(path) is None


@pytest.mark.parametrize("stated", ["imagenet", "", '{"steps": []}', "{", '{"steps": 1}'])
def test_a_preprocessing_in_the_metadata_that_does_not_exist_is_refused(stated: str, tmp_path: Path) -> None:
    content = onnx.load(write_network(tmp_path / "net.onnx"))
    onnx.helper.set_model_props(content, {PREPROCESSING: stated})
    onnx.save_model(content, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"^[^\n]*net\.onnx: simtool\.preprocessing in its metadata: .*give --recipe$"):
        stated_preprocessing(tmp_path / "net.onnx")


@pytest.mark.parametrize(("kind", "number"), [("Mul", 1 / 255), ("Div", 127.5)])
def test_a_note_says_that_network_and_preprocessing_scale_colors(
    kind: str, number: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_network(tmp_path / "net.onnx")
    load_onnx_file(path, RECIPE)
    content = onnx.load(path)
    content.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(number), "scale"))
    content.graph.node.insert(2, onnx.helper.make_node(kind, ["turned", "scale"], ["scaled"], name="scaling"))
    content.graph.node[3].input[0] = "scaled"
    onnx.save_model(content, path)
    load_onnx_file(path, named_preprocessing("bytes"))
    assert not capsys.readouterr().err
    load_onnx_file(path, RECIPE)
    assert "scales colors itself (operation scaling), and the preprocessing torch" in capsys.readouterr().err


#: The outputs of the samples of Keras, which lose their names on PyTorch and in a list.
OUTPUTS = {"224": "embedding", "x1.15": "pool", "Identity:0": "pool", "Identity_1:0": "embedding"}
SAMPLES = {
    **dict.fromkeys(("torch", "torch-dynamo", "torch-dynamo-plain", "torch-legacy", "torch-with-metadata"), "torch"),
    **dict.fromkeys(("keras-tensorflow", "keras-tensorflow-list"), "keras-tensorflow"),
    "keras-torch": "keras-torch",
}


def sampled(formats: Path, family: str) -> np.ndarray:
    """The images of the samples, as networks of a family take them, (12, 64, 64, 3)."""
    with np.load(formats / "onnx" / "inputs.npz") as inputs:
        if family == "torch":
            return np.asarray(inputs["torch_nchw"].transpose(0, 2, 3, 1), np.float32)
        return np.asarray(inputs["keras_nhwc_0_255"], np.float32)


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_of_all_exporters_give_the_vectors_of_their_framework(sample: str, formats: Path) -> None:
    family = SAMPLES[sample]
    recipe = RECIPE if family == "torch" else named_preprocessing("bytes")
    network = load_onnx_file(formats / "onnx" / f"{sample}.onnx", recipe)
    assert network.preprocessing.shape == (64, 64, 3)
    assert {OUTPUTS.get(layer, layer) for layer in network.layers} == {"pool", "embedding"}
    for layer in network.layers:
        expected = np.load(formats / "onnx" / f"{family}-{OUTPUTS.get(layer, layer)}.npy")
        np.testing.assert_allclose(network.embed(sampled(formats, family), layer), expected, atol=1e-6)


@pytest.mark.parametrize("layer", ["functional_1/c2_1/Relu:0", "functional_1/c2_1/Relu"])
def test_the_last_map_of_a_sample_of_keras_averages_to_its_pooled_output(layer: str, formats: Path) -> None:
    network = load_onnx_file(formats / "onnx" / "keras-tensorflow.onnx", named_preprocessing("bytes"))
    images = sampled(formats, "keras-tensorflow")
    np.testing.assert_allclose(network.embed(images, layer), network.embed(images, "pool"), atol=1e-5)


def test_the_sample_of_16_bits_equals_its_graph_in_16_bits(formats: Path) -> None:
    path = formats / "onnx" / "torch-half.onnx"
    images, network = sampled(formats, "torch"), load_onnx_file(path, RECIPE)
    halves = images.transpose(0, 3, 1, 2).astype(np.float16)
    for layer, expected in zip(network.layers, ReferenceEvaluator(str(path)).run(None, {"image": halves}), strict=True):
        np.testing.assert_allclose(network.embed(images, layer), expected, atol=1e-3)


def test_a_tensor_whose_name_ends_like_a_whole_map_is_a_layer(tmp_path: Path) -> None:
    content = onnx.load(write_network(tmp_path / "net.onnx"))
    content.graph.node[-1].output[0] = content.graph.output[0].name = "embedding:flat"
    onnx.save_model(content, tmp_path / "net.onnx")
    network = load_onnx_file(tmp_path / "net.onnx", RECIPE)
    for layer in (None, "embedding:flat", "embedding:flat:flat"):
        np.testing.assert_allclose(network.embed(IMAGES, layer), embedded(IMAGES), atol=1e-5)


def test_threads_may_share_a_network(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    images = np.repeat(IMAGES, 80, axis=0)
    expected = {layer: network.embed(images, layer) for layer in network.layers}
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda layer: network.embed(images, layer), network.layers * 16))
    for layer, vectors in zip(network.layers * 16, found, strict=True):
        np.testing.assert_array_equal(vectors, expected[layer])


def test_a_network_for_any_size_takes_the_size_that_is_asked_for(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", ("batch", 3, "height", "width"))
    assert load_onnx_file(path, RECIPE).preprocessing == RECIPE
    network = load_onnx_file(path, RECIPE, 6)
    np.testing.assert_allclose(network.embed(IMAGES), embedded(IMAGES), atol=1e-5)
    with pytest.raises(ModelError, match="the network expects 6 by 6 pixels, not 7"):
        load_onnx_file(write_network(tmp_path / "fixed.onnx"), RECIPE, 7)


def test_inputs_of_16_bits_are_given_numbers_of_16_bits(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx", kind=TensorProto.FLOAT16), RECIPE)
    np.testing.assert_allclose(network.embed(IMAGES), embedded(IMAGES.astype(np.float16).astype(np.float32)), atol=1e-3)


def test_other_inputs_are_refused_with_what_was_found(tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx", kind=TensorProto.UINT8)
    with pytest.raises(ModelError, match=r"needs a network with one input of real numbers, .*, not image .* u8$"):
        load_onnx_file(network, RECIPE)
    network = write_network(tmp_path / "net.onnx", ("batch", 6, 6, "colors"), channels_first=False)
    with pytest.raises(ModelError, match=r"not image \[\?,6,6,\?\] f32$"):
        load_onnx_file(network, RECIPE)
    with pytest.raises(ModelError, match=r"its input image \[\?,3,6,3\] f32 can be .*; export it with a larger size"):
        load_onnx_file(write_network(tmp_path / "net.onnx", ("batch", 3, 6, 3)), RECIPE)


@pytest.mark.parametrize("place", ["weights.data", "weights/of/net.data"])
def test_weights_in_a_second_file_belong_to_the_network(place: str, tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", external=place)
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "weights.data").rename(tmp_path / place)
    assert files_of(path) == [path, tmp_path / place]
    network = load_onnx_file(path, RECIPE)
    np.testing.assert_allclose(network.embed(IMAGES), embedded(IMAGES), atol=1e-5)
    assert network.weights != sha256_of(path)
    (tmp_path / place).unlink()
    with pytest.raises(ModelError, match=f"its weights are in {place}, which is not in its folder; copy it there"):
        load_onnx_file(path, RECIPE)


@pytest.mark.parametrize("place", ["../weights.data", "/etc/hostname", "link.data", "a/../../weights.data"])
def test_weights_outside_the_folder_are_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = write_network(tmp_path / "inner" / "net.onnx", external=place)
    (tmp_path / "inner" / "weights.data").rename(tmp_path / "weights.data")
    (tmp_path / "inner" / "link.data").symlink_to(tmp_path / "weights.data")
    with pytest.raises(ModelError, match=r"^[^\n]*OpenVINO cannot read it: [^\n]* outside the base directory [^\n]*$"):
        load_onnx_file(path, RECIPE)


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    content = write_network(tmp_path / "net.onnx").read_bytes()
    damaged = tmp_path / "damaged.onnx"
    for damage in (content[:-200], content[: len(content) // 2], content[:150] + bytes(60) + content[210:], b"text"):
        damaged.write_bytes(damage)
        with pytest.raises(ModelError, match=r"^[^\n]*damaged\.onnx: [^\n]+$"):
            load_onnx_file(damaged, RECIPE).embed(IMAGES)
    with pytest.raises(ModelError, match="no such file"):
        load_onnx_file(tmp_path / "none.onnx", RECIPE)


def test_an_operation_that_openvino_lacks_is_named(tmp_path: Path) -> None:
    content = onnx.load(write_network(tmp_path / "net.onnx"))
    content.graph.node[2].op_type = "DeformConv"
    content.opset_import[0].version = 22
    onnx.save_model(content, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"OpenVINO cannot read it: [^\n]* operations: DeformConv-22$"):
        load_onnx_file(tmp_path / "net.onnx", RECIPE)


def test_only_openvino_computes_it(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    with pytest.raises(UsageError, match=r"--runtime tensorflow does not read \.onnx files; openvino does"):
        network.executed(Execution("tensorflow"))


@pytest.mark.skipif(not has_bfloat16(), reason="the processor has no bfloat16")
def test_bfloat16_rounds_and_a_note_tells_how_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    rounded = network.executed(Execution("openvino", "bfloat16"))
    exact = embedded(IMAGES)
    for _ in range(2):
        assert 0 < np.abs(rounded.embed(IMAGES) - exact).max() < 0.02 * np.abs(exact).max()
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith("bfloat16: 1 - cosine with float32 is at most ")
    assert note.endswith("on the first 5 images (net embedding)")


def test_infinite_vectors_give_no_warning_of_numpy(tmp_path: Path) -> None:
    network = load_onnx_file(write_network(tmp_path / "net.onnx"), RECIPE)
    largest = np.sign(IMAGES) * np.float32(3e38)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = network.executed(Execution("openvino", "bfloat16")).embed(largest, "seen:flat")
    assert not np.isfinite(vectors).all()


def stating(path: Path, **keys: str) -> Path:
    """A network with metadata."""
    content = onnx.load(write_network(path))
    onnx.helper.set_model_props(content, {ORIGIN if key == "origin" else UNTRAINED: text for key, text in keys.items()})
    onnx.save_model(content, path)
    return path


def test_a_network_can_state_what_it_shares_with_its_controls(tmp_path: Path) -> None:
    trained = load_onnx_file(stating(tmp_path / "net.onnx", origin="lite2"), RECIPE)
    control = load_onnx_file(stating(tmp_path / "control.onnx", origin="lite2", untrained="3"), RECIPE)
    assert (trained.origin, trained.untrained) == ("lite2", None)
    assert (control.origin, control.untrained) == ("lite2", 3)
    plain = load_onnx_file(write_network(tmp_path / "plain.onnx"), RECIPE)
    assert (plain.origin, plain.untrained) == (None, None)


@pytest.mark.parametrize("seed", ["", "-1", "1.0", "true", "\u0661", "9" * 19])
def test_a_seed_in_the_metadata_that_is_no_whole_number_is_refused(seed: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"net\.onnx: simtool\.untrained in its metadata is the seed"):
        load_onnx_file(stating(tmp_path / "net.onnx", origin="lite2", untrained=seed), RECIPE)


@pytest.mark.parametrize("origin", ["", "x" * 1001])
def test_an_origin_in_the_metadata_that_no_table_takes_is_refused(origin: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"simtool\.origin in its metadata has [01,]+ characters, not 1 to 1,000"):
        load_onnx_file(stating(tmp_path / "net.onnx", origin=origin), RECIPE)
