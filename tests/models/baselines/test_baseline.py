"""Every baseline: windows, preprocessing, and the same vectors in batches of any size."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.models.baselines.baseline import Baseline
from simtool.models.baselines.color import Color
from simtool.models.baselines.gabor import Gabor
from simtool.models.baselines.histogram import Histogram
from simtool.models.errors import ModelError

RECIPE = named_preprocessing("bytes").adjusted(size=24)
IMAGES = np.random.default_rng(0).uniform(0, 255, (5, 24, 24, 3)).astype(np.float32)

every_baseline = pytest.mark.parametrize("kind", [Color, Histogram, Gabor])


@every_baseline
def test_a_vector_does_not_depend_on_the_other_images_of_the_batch(kind: type[Baseline]) -> None:
    model = kind(RECIPE)
    vectors = model.embed(IMAGES)
    assert vectors.shape == (5, model.output().dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.concatenate([model.embed(IMAGES[:2]), model.embed(IMAGES[2:])]))
    assert model.embed(IMAGES[:0]).shape == (0, model.output().dimension)


@every_baseline
def test_names_layers_and_segments_state_what_the_vector_is(kind: type[Baseline]) -> None:
    whole, half = kind(RECIPE).output(), kind(RECIPE, 0.5).output()
    assert (whole.name, whole.layer) == (kind.name, None)
    assert (half.name, half.layer) == (f"{kind.name} (window 0.5)", f"{kind.name}:window=0.5")
    assert whole.dimension == half.dimension == sum(segment.length for segment in whole.segments)


@pytest.mark.parametrize("kind", [Color, Histogram])
def test_a_window_describes_the_middle_as_if_it_were_the_image(kind: type[Baseline]) -> None:
    middle = IMAGES[:, 6:18, 6:18]
    np.testing.assert_array_equal(kind(RECIPE, 0.5).embed(IMAGES), kind(RECIPE.adjusted(12)).embed(middle))


@every_baseline
def test_only_the_crop_and_the_resize_of_a_preprocessing_apply(kind: type[Baseline]) -> None:
    study = named_preprocessing("study")
    assert kind(study).preprocessing == study.spatial
    assert kind(study).preprocessing.colors == ()


@every_baseline
def test_a_gray_image_has_a_vector(kind: type[Baseline]) -> None:
    gray = np.repeat(IMAGES[:, :, :, :1], 3, axis=3)
    assert np.isfinite(kind(RECIPE).embed(gray)).all()


@every_baseline
def test_there_are_no_layers_no_components_and_no_window_outside_of_the_image(kind: type[Baseline]) -> None:
    model = kind(RECIPE)
    assert model.layers == ()
    with pytest.raises(ModelError, match=f"{kind.name} has no layers; leave out --layer final"):
        model.embed(IMAGES, "final")
    with pytest.raises(ModelError, match=f"{kind.name}: it has no components to keep 10 of"):
        model.cut(10)
    with pytest.raises(UsageError, match="--window is the part of each side that is used, above 0 and at most 1"):
        kind(RECIPE, 1.5)
