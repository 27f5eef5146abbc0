"""The preprocessing of networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simtool.images.preprocessing import named_preprocessing
from simtool.images.steps import prepared
from simtool.images.tensors import transform_colors
from simtool.tensorflow import load_tensorflow

FAMILIES = {
    "caffe": ("resnet", "vgg16", "vgg19"),
    "symmetric": (
        "resnet_v2",
        "mobilenet",
        "mobilenet_v2",
        "inception_v3",
        "inception_resnet_v2",
        "xception",
        "nasnet",
    ),
    "torch": ("densenet",),
    "bytes": ("efficientnet", "efficientnet_v2", "convnext", "mobilenet_v3"),
}


@pytest.mark.parametrize(("recipe", "module"), [(name, module) for name in FAMILIES for module in FAMILIES[name]])
def test_colors_are_those_of_keras(recipe: str, module: str) -> None:
    load_tensorflow()
    import keras

    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    theirs = getattr(keras.applications, module).preprocess_input(images.copy())
    np.testing.assert_allclose(transform_colors(named_preprocessing(recipe))(images), theirs, atol=1e-5, rtol=1e-6)


def test_the_studys_preprocessing_is_reproduced_on_the_real_stimuli(birds16: Path) -> None:
    tf = load_tensorflow()
    import keras

    paths = sorted((birds16 / "images").rglob("*.jpg"))[::10]
    assert len(paths) == 21
    for path in paths:
        image = np.array(Image.open(path).convert("RGB"))
        theirs = tf.image.resize(
            keras.applications.resnet50.preprocess_input(image.astype(np.float32)) / 255, (128, 128)
        )
        np.testing.assert_allclose(prepared(image, named_preprocessing("study-resnet")), theirs, atol=1e-5)
