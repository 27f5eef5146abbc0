"""A model argument belongs to one source of a table; a further source is one module and one entry."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from simtool.commands.embed import embed as command
from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.kinds import Expected, What
from simtool.models import sources
from simtool.models.errors import ModelError
from simtool.models.interface import LayerShape, Model, Output
from simtool.models.onnx_file import PREPROCESSING
from simtool.models.pixels import Pixels
from simtool.models.sources import SOURCES, ModelOptions, Source, labels, option_help, source_of, usages
from simtool.models.sources.folder import FolderSource
from simtool.models.sources.keras_file import KerasFileSource
from simtool.models.sources.onnx_file import OnnxFileSource
from simtool.models.sources.pixels import PixelsSource
from simtool.models.sources.saved_model import SavedModelSource
from simtool.models.sources.source import option_of
from simtool.stages.embedding import embed
from simtool.tables.embeddings import open_embeddings
from tests.kinds.samples import SAMPLES
from tests.models.onnx_networks import activations, write_network
from tests.photographs import write_table

NONE = ModelOptions()
PCA = Path(__file__).parents[2] / "fixtures" / "version_0_1" / "pca"


class Gray(Model):
    """The mean color of an image, once for each requested value."""

    def __init__(self, values: int) -> None:
        self.preprocessing = named_preprocessing("study").adjusted(8)
        self._values = values

    def output(self, layer: str | None = None) -> Output:  # noqa: ARG002
        return Output("gray", (self._values,))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        return np.repeat(images.mean(axis=(1, 2, 3))[:, np.newaxis], self._values, axis=1)


class GraySource(Source):
    usage = "gray:VALUES"
    label = "gray levels"
    options: ClassVar[Mapping[str, str]] = {"size": "nothing"}
    limits = "gray levels have no other options"

    @classmethod
    def is_named(cls, argument: str) -> bool:
        return argument.startswith("gray:")

    @property
    def path(self) -> None:
        """No file."""

    def open(self, options: ModelOptions) -> Gray:  # noqa: ARG002
        return Gray(int(self.argument.removeprefix("gray:")))


@pytest.fixture
def gray(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more entry in the table of sources."""
    monkeypatch.setattr(sources, "SOURCES", (*SOURCES, GraySource))


@pytest.mark.usefixtures("gray")
def test_a_further_source_is_embedded_with_and_appears_in_messages_and_help(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3)
    [table] = embed(images, "gray:5", tmp_path / "gray.parquet")
    [pixels] = embed(images, "pixels", size=8)
    assert (table.info.name, table.info.dimension) == ("gray", 5)
    np.testing.assert_allclose(table.read()[:, 4], pixels.read().mean(axis=1), atol=1e-6)
    with pytest.raises(
        UsageError,
        match=r"--crop is for pixels, colour, .*, a network of .*, a \.keras file, .* or a SavedModel; gray levels",
    ):
        embed(images, "gray:5", crop=0.5)
    assert usages() == "pixels|colour|histogram|gabor|FOLDER|keras:NAME|FILE.keras|FILE.onnx|SAVEDMODEL|gray:VALUES"
    assert option_help("size").endswith("; for gray levels: nothing.")
    with pytest.raises(ModelError, match=r"a \.keras file, an \.onnx file, a SavedModel or gray levels"):
        source_of("grey:5", NONE)


def test_sources_are_told_by_name_then_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(source_of("pixels", NONE), PixelsSource)
    assert isinstance(source_of(str(PCA), NONE), FolderSource)
    monkeypatch.chdir(tmp_path)
    Path("pixels").symlink_to(PCA)
    assert isinstance(source_of("pixels", NONE), PixelsSource)
    assert isinstance(source_of("./pixels", NONE), FolderSource)
    assert isinstance(source_of(Path("pixels"), NONE), FolderSource)


def test_another_file_is_refused_with_its_kind(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("a model")
    with pytest.raises(ModelError, match="this is a text file, not a model that simtool can embed with"):
        source_of(tmp_path / "model.txt", NONE)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.pt", "it can hold code, which simtool does not run: export the network with torch.onnx.export"),
        ("old.pth", "it can hold code, which simtool does not run: export the network with torch.onnx.export"),
        ("rdms.pkl", "it can hold code, which simtool does not run: export the network with torch.onnx.export"),
        ("model.h5", 'it can hold code, which simtool does not run: load it in Keras, save("model.keras")'),
        ("model.safetensors", "build the network in PyTorch, and export the network with torch.onnx.export"),
        ("old-weights.h5", "give it as --weights with --model keras:NAME"),
    ],
)
def test_files_that_can_hold_code_or_no_network_are_refused_with_what_to_do(
    name: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(SAMPLES[name][1])
    with pytest.raises(ModelError, match=rf"^{tmp_path / name}: this is [^\n]*, not a model [^\n]*; ") as refused:
        source_of(tmp_path / name, NONE)
    assert told in str(refused.value)


def test_the_kinds_of_files_that_sources_read_are_those_that_messages_offer() -> None:
    read = {what for what in What if any(source.reads(what) for source in SOURCES)}
    assert read == Expected.MODEL.kinds


@pytest.mark.parametrize("source", SOURCES)
def test_every_option_of_a_source_is_an_option_of_the_command(source: type[Source]) -> None:
    assert source.options.keys() <= {field.name for field in fields(ModelOptions)}
    parameters = inspect.signature(command).parameters
    for name in source.options:
        assert option_of(name).removeprefix("--").replace("-", "_") in parameters


def test_every_option_of_models_applies_to_a_source_and_its_help_says_to_which() -> None:
    for field in fields(ModelOptions):
        takers = [source.label for source in SOURCES if field.name in source.options]
        assert takers
        assert all(label in option_help(field.name) for label in takers)


def test_an_option_that_does_not_apply_is_refused_before_the_model_is_read() -> None:
    with pytest.raises(
        UsageError, match=r"--trust-code is for a [.]keras file; pixels have no layers, components or weights$"
    ):
        source_of("pixels", ModelOptions(trust_code=True))
    with pytest.raises(UsageError, match=r"or a SavedModel; a model folder has its own preprocessing"):
        source_of(PCA, ModelOptions(size=8))
    assert source_of("pixels", ModelOptions(preprocessing="square", size=8, crop=1)).argument == "pixels"


def test_a_wrong_precision_or_runtime_is_refused_before_the_model_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = write_network(tmp_path / "net.onnx")
    with pytest.raises(UsageError, match="--precision is float32 or bfloat16, not bf16"):
        source_of(network, ModelOptions(precision="bf16"))
    with pytest.raises(UsageError, match="--runtime is tensorflow or openvino, not onnx"):
        source_of(network, ModelOptions(runtime="onnx"))
    monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    with pytest.raises(ModelError, match="OpenVINO is not installed; pip install openvino"):
        source_of(network, ModelOptions(runtime="openvino"))


def test_sources_for_which_an_option_means_the_same_share_its_help() -> None:
    assert option_help("crop") == (
        "For pixels: central part of each side that is kept [the preprocessing's: 0.8]; for colour, histogram, gabor "
        "or a network of keras.applications: central part of each side that is kept [all]; for a .keras file, an .onnx "
        "file or a SavedModel: central part of each side that is kept [the preprocessing's]."
    )


@pytest.mark.parametrize("source", [KerasFileSource, OnnxFileSource, SavedModelSource])
def test_the_file_of_a_network_needs_a_preprocessing(source: type[Source], tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx")  # no other source reads its file before it asks
    with pytest.raises(UsageError, match="does not say which preprocessing it needs: name it with --recipe"):
        source(str(network)).open(NONE)


def test_an_onnx_file_can_state_its_preprocessing_and_the_option_goes_before(tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx")
    content = onnx.load(network)
    onnx.helper.set_model_props(content, {PREPROCESSING: "caffe"})
    onnx.save_model(content, network)
    assert OnnxFileSource(str(network)).open(NONE).preprocessing == named_preprocessing("caffe").adjusted(6)
    stated = OnnxFileSource(str(network)).open(ModelOptions(crop=0.5)).preprocessing
    assert stated == named_preprocessing("caffe").adjusted(6, 0.5)
    asked = OnnxFileSource(str(network)).open(ModelOptions(preprocessing="torch")).preprocessing
    assert asked == named_preprocessing("torch").adjusted(6)


def test_layers_are_listed_without_a_preprocessing(tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx", ("batch", 3, "height", "width"))
    for options, side in ((NONE, 224), (ModelOptions(size=8), 8)):
        listed = source_of(network, NONE).inspected(options).all_layers()
        assert listed[0] == LayerShape("embedding", (4,), 4)
        assert LayerShape("rectified", (5, side, side), 5) in listed
    assert source_of("pixels", NONE).inspected(ModelOptions(size=4)).all_layers() == [LayerShape("", (4, 4, 3), 48)]
    assert source_of(PCA, NONE).inspected(NONE).all_layers()[0].dimension == 6
    glow = source_of(PCA.parent / "glow", NONE).inspected(NONE)
    names = [layer.name for layer in glow.all_layers()]
    steps = [f"activations/level-{level}/step-{step}" for level in (1, 2) for step in (1, 2)]
    assert names == [*glow.layers, *steps]
    assert all(layer.dimension == glow.output(layer.name).dimension for layer in glow.all_layers())


def test_an_onnx_file_is_embedded_with_and_the_table_states_how(tmp_path: Path) -> None:
    images = write_table(tmp_path, 3)
    network = write_network(tmp_path / "small.onnx", external="weights.data")
    source = source_of(network, NONE)
    assert source.inputs == [network, tmp_path / "weights.data"]
    out = tmp_path / "vectors.parquet"
    embed(images, network, out, preprocessing="torch", layers=["pooled"])
    table = open_embeddings(out)
    assert (table.info.name, table.info.layer) == ("small pooled", "pooled")
    assert (table.info.precision, table.info.runtime) == ("float32", "openvino")
    [pixels] = embed(images, "pixels", preprocessing="torch", size=6)
    expected = activations(pixels.read().reshape(-1, 6, 6, 3)).mean(axis=(1, 2))
    np.testing.assert_allclose(table.read(), expected, atol=1e-5)


def test_what_a_model_is_read_from_is_known() -> None:
    assert (source_of("pixels", NONE).path, source_of("pixels", NONE).inputs) == (None, [])
    assert (source_of(PCA, NONE).path, source_of(PCA, NONE).inputs) == (PCA, [PCA / "model.json"])
    assert KerasFileSource("birds.keras").inputs == [Path("birds.keras")]


def test_an_open_model_is_its_own_source() -> None:
    model = Pixels(named_preprocessing("study").adjusted(8))
    source = source_of(model, NONE)
    assert source.open(NONE) is model
    assert source.inputs == []
    with pytest.raises(UsageError, match="a model object has its preprocessing already"):
        source_of(model, ModelOptions(size=4))


def test_the_noise_of_the_posterior_becomes_a_part_of_its_layer() -> None:
    options = ModelOptions(layer=("latent", "posterior"), noise=0.25)
    assert FolderSource("glow").layers(options, Gray(1)) == ["latent", "posterior:noise=0.25"]
    with pytest.raises(UsageError, match="--noise is for --layer posterior"):
        FolderSource("glow").layers(ModelOptions(layer=("latent",), noise=0.25), Gray(1))


def test_layers_that_state_no_pooling_get_that_of_the_options(tmp_path: Path) -> None:
    def layers(*layer: str, pool: str | None = None, window: float | None = None) -> list[str]:
        options = ModelOptions(layer=layer, pool=pool, window=window)
        return source.layers(options, source.inspected(options))

    source = OnnxFileSource(str(write_network(tmp_path / "net.onnx")))
    assert layers("pooled", "rectified:flat") == ["pooled", "rectified:flat"]
    assert layers("pooled", "rectified:flat", window=0.5) == ["pooled:window=0.5", "rectified:flat"]
    assert layers("a:pool=max", "b", pool="mean+std") == ["a:pool=max", "b:pool=mean+std"]
    assert layers("a", pool="mean") == ["a:pool=mean"]  # not the default of every layer
    assert layers(pool="max") == ["embedding:pool=max"]
    with pytest.raises(UsageError, match="--layer a:flat states its pooling already; leave out --pool and --window"):
        layers("a:flat", pool="max")


def test_a_pooling_needs_a_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--pool is for a model folder, .*; pixels have no layers"):
        source_of("pixels", ModelOptions(pool="max"))
    pooled = ModelOptions(pool="max")
    with pytest.raises(UsageError, match="--pool and --window are for layers of networks; PCA 6 has no layers"):
        FolderSource(str(PCA)).layers(pooled, FolderSource(str(PCA)).open(pooled))
    with pytest.raises(UsageError, match=r"--pool is mean, mean\+std, max, flat, surprise, not max,window=0.5"):
        source_of(write_network(tmp_path / "net.onnx"), ModelOptions(pool="max,window=0.5"))
    with pytest.raises(UsageError, match="above 0 and at most 1, not 2"):
        source_of(PCA, ModelOptions(window=2))


def test_the_arguments_are_listed_in_words() -> None:
    assert labels() == (
        "pixels, colour, histogram, gabor, a model folder, a network of keras.applications, a .keras file, an .onnx "
        "file or a SavedModel"
    )


@pytest.mark.parametrize("name", ["pixels", "colour", "histogram", "gabor"])
def test_a_formula_is_no_network(name: str) -> None:
    assert source_of(name, ModelOptions()).computation(ModelOptions()) is None


def test_a_network_is_computed_in_float32_by_tensorflow_unless_options_say_otherwise() -> None:
    network = source_of("keras:ResNet50", NONE)
    assert network.computation(NONE) == ("tensorflow", "float32")
    assert network.computation(ModelOptions(precision="bfloat16")) == ("tensorflow", "bfloat16")
