"""Toy birds: traits with a known structure, names, photographs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from simtool.toy.colors import color_name, srgb_of_oklab
from simtool.toy.photograph import photograph
from simtool.toy.population import BUILDS, Population, draw_population
from simtool.toy.traits import BLOCKS, COLORS, PATTERNS, SHAPES


@pytest.fixture(scope="module")
def population() -> Population:
    return draw_population(seed=0)


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def mean_squared_distance(x: NDArray[np.float64], pairs: NDArray[np.bool_]) -> float:
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    return float(squared[pairs].mean())


def test_the_default_is_4_families_of_4_species_of_12_birds(population: Population) -> None:
    assert len(population) == 192
    assert len(population.family_names) == 4
    assert len(set(population.species_names)) == 16
    assert np.bincount(population.family).tolist() == [48] * 4
    assert np.bincount(population.species).tolist() == [12] * 16


def test_an_image_id_is_family_species_and_a_file_that_repeats_the_species(population: Population) -> None:
    for name, family, species in zip(population.image_id, population.family, population.species, strict=True):
        folder, subfolder, file = name.split("/")
        assert folder == population.family_names[family]
        assert subfolder == population.species_names[species]
        assert file.startswith(f"{subfolder}_")
        assert file.endswith(".jpg")
    assert len(set(population.image_id)) == len(population)


@given(seed=st.integers(0, 10_000), families=st.integers(1, len(BUILDS)), species=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_species_of_any_seed_have_different_names(seed: int, families: int, species: int) -> None:
    names = draw_population(seed, families, species, 1).species_names
    assert len(set(names)) == families * species


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_traits_stay_in_the_range_that_can_be_shown(seed: int) -> None:
    traits = draw_population(seed, len(BUILDS), 4, 2).traits
    for block in ("shape", "pattern"):
        assert traits[:, BLOCKS[block]].min() >= 0.0
        assert traits[:, BLOCKS[block]].max() <= 1.0
    color = traits[:, BLOCKS["color"]].reshape(-1, len(COLORS), 3)
    assert color[..., 0].min() > 0.0
    assert color[..., 0].max() < 1.0
    assert np.abs(color[..., 1:]).max() <= 0.17


def test_blocks_cover_every_trait_once(population: Population) -> None:
    columns = np.concatenate([np.arange(population.traits.shape[1])[block] for block in BLOCKS.values()])
    assert columns.tolist() == list(range(population.traits.shape[1]))
    assert columns.size == len(SHAPES) + 3 * len(COLORS) + len(PATTERNS)


@pytest.mark.parametrize("seed", range(5))
def test_individuals_are_nearer_than_species_and_species_of_a_family_nearer_than_families(seed: int) -> None:
    birds = draw_population(seed)
    same_species = birds.species[:, None] == birds.species
    same_family = birds.family[:, None] == birds.family
    within = mean_squared_distance(birds.traits, same_species & ~np.eye(len(birds), dtype=bool))
    between = mean_squared_distance(birds.traits, same_family & ~same_species)
    apart = mean_squared_distance(birds.traits[:, BLOCKS["shape"]], ~same_family)
    related = mean_squared_distance(birds.traits[:, BLOCKS["shape"]], same_family & ~same_species)
    assert within < 0.2 * between
    assert related < 0.5 * apart


def test_a_seed_fixes_the_birds_and_another_seed_changes_them() -> None:
    first, again, other = draw_population(3), draw_population(3), draw_population(4)
    assert np.array_equal(first.traits, again.traits)
    assert first.image_id == again.image_id
    assert not np.array_equal(first.traits, other.traits)


def test_more_photographs_leave_the_species_what_they_were() -> None:
    few, many = draw_population(5, images_per_species=2), draw_population(5, images_per_species=30)
    assert few.species_names == many.species_names


@pytest.mark.parametrize("counts", [(0, 4, 12), (4, 0, 12), (4, 4, 0), (len(BUILDS) + 1, 4, 12)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        draw_population(0, *counts)


def test_a_photograph_is_the_same_to_the_byte_for_the_same_seed(population: Population) -> None:
    first, again, other = (photograph(population.bird(7), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert jpeg(first) == jpeg(again)
    assert jpeg(first) != jpeg(other)


def test_photographs_are_color_images_of_varied_formats(population: Population) -> None:
    images = [photograph(population.bird(index * 16), np.random.default_rng(index)) for index in range(12)]
    assert {image.mode for image in images} == {"RGB"}
    assert {max(image.size) for image in images} <= {280, 300, 320}
    assert min(min(image.size) for image in images) >= 200
    assert len({image.size for image in images}) >= 3


def test_two_birds_in_the_same_place_differ_only_around_the_bird(population: Population) -> None:
    # The same generator gives both the same background; traits change the image only at the bird.
    bird = population.bird(0)
    recolored = bird.traits.copy()
    recolored[BLOCKS["color"]] = population.traits[100, BLOCKS["color"]]
    first = np.asarray(photograph(bird, np.random.default_rng(5)), np.float64)
    second = np.asarray(photograph(type(bird)(recolored), np.random.default_rng(5)), np.float64)
    changed = np.abs(first - second).max(axis=-1) > 12
    assert 0.02 < changed.mean() < 0.6


@pytest.mark.slow
def test_pose_and_place_say_nothing_about_the_family(population: Population) -> None:
    # The border of an image, without the bird, does not distinguish families.
    borders = []
    for index in range(0, len(population), 4):
        rows = np.asarray(photograph(population.bird(index), np.random.default_rng([1, index])), np.float64)
        borders.append(np.concatenate([rows[:8], rows[-8:]]).mean())
    groups = [np.array(borders)[population.family[::4] == family] for family in range(4)]
    assert stats.f_oneway(*groups).pvalue > 0.01


def test_oklab_gives_the_colors_of_its_definition() -> None:
    # Ottosson 2020: white is (1, 0, 0); sRGB red is (0.6279554, 0.2248630, 0.1258463).
    assert srgb_of_oklab([1.0, 0.0, 0.0]) == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)
    assert srgb_of_oklab([0.0, 0.0, 0.0]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert srgb_of_oklab([0.6279554, 0.2248630, 0.1258463]) == pytest.approx([1.0, 0.0, 0.0], abs=2e-3)


@pytest.mark.parametrize(
    ("lab", "name"),
    [
        ((0.95, 0.0, 0.0), "White"),
        ((0.15, 0.0, 0.0), "Black"),
        ((0.84, 0.0, 0.15), "Golden"),
        ((0.6, -0.03, -0.12), "Azure"),
    ],
)
def test_colors_have_the_names_that_a_field_guide_gives_them(lab: tuple[float, float, float], name: str) -> None:
    assert color_name(lab) == name
