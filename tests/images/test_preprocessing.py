from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.images.preprocessing import (
    PREPROCESSINGS,
    CentralCrop,
    Divide,
    Preprocessing,
    PreprocessingError,
    Resize,
    ReverseChannels,
    Step,
    Subtract,
    chosen_preprocessing,
    named_preprocessing,
    readable,
)
from simtool.pillow import WHITE

numbers = st.floats(-300, 300).filter(lambda value: value != 0)
others: st.SearchStrategy[Step] = st.one_of(
    st.builds(CentralCrop, st.floats(0.01, 1)),
    st.just(ReverseChannels()),
    st.builds(Divide, numbers),
    st.builds(Subtract, st.tuples(numbers, numbers, numbers)),
)
sides = st.integers(1, 500)
bilinear = st.builds(Resize, sides, sides, st.sampled_from(["stretch", "crop"]), st.booleans())
bicubic = st.builds(
    Resize, sides, sides, st.just("crop"), st.just(True), st.just("bicubic"), st.floats(0.125, 1)
) | st.builds(Resize, sides, sides, st.just("stretch"), st.just(True), st.just("bicubic"))


@st.composite
def recipes(draw: st.DrawFn) -> Preprocessing:
    steps = draw(st.lists(others, max_size=5))
    steps = draw(st.permutations([*steps, draw(bilinear)]) | st.builds(lambda first: [first, *steps], bicubic))
    background = draw(st.just(WHITE) | st.tuples(*[st.integers(0, 255)] * 3))
    return Preprocessing(draw(st.text()), tuple(steps), background)


@given(recipes())
def test_a_preprocessing_survives_json(recipe: Preprocessing) -> None:
    assert Preprocessing.from_json(json.loads(recipe.to_text())) == recipe


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("study", "study: central crop 0.8, resize to 128 x 128, divide by 255, subtract 0.5"),
        (
            "study-resnet",
            "study-resnet: RGB to BGR, subtract 103.939 116.779 123.68, divide by 255, resize to 128 x 128",
        ),
        (
            "torch:background=black",
            "torch:background=black: resize to 224 x 224, keeping the aspect, with antialiasing, divide by 255, "
            "subtract 0.485 0.456 0.406, divide channels by 0.229 0.224 0.225, background 0",
        ),
    ],
)
def test_a_person_reads_a_preprocessing_in_words(name: str, words: str) -> None:
    assert str(named_preprocessing(name)) == words
    assert readable(named_preprocessing(name).to_text()) == words


#: EfficientNet-Lite2 of Google: timm would say crop_pct 0.875, interpolation bicubic.
LITE2 = {
    "name": "lite2",
    "steps": [
        {"step": "resize", "height": 260, "width": 260, "aspect": "crop", "antialias": True}
        | {"filter": "bicubic", "crop_ratio": 0.875},
        {"step": "subtract", "values": (127, 127, 127)},
        {"step": "divide", "by": 128},
    ],
}


def test_a_file_states_the_preprocessing_of_any_network(tmp_path: Path) -> None:
    path = tmp_path / "lite2.json"
    path.write_text(json.dumps({"steps": LITE2["steps"]}))
    chosen = chosen_preprocessing(str(path))
    assert chosen.to_json() == LITE2
    assert chosen.resize.covered == (297, 297)
    assert str(chosen) == (
        "lite2: bicubic resize to 260 x 260, keeping the aspect, crop ratio 0.875, with antialiasing, subtract 127, "
        "divide by 128"
    )
    assert chosen_preprocessing(str(path), size=224).resize.covered == (256, 256)
    path.write_text(json.dumps(LITE2 | {"name": "another"}))
    assert chosen_preprocessing(str(path)).name == "another"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "lite2[.]json: No such file"),
        (b"steps: 3", "lite2[.]json: the file is not JSON"),
        (b"\xff\xfe\x00", "lite2[.]json: the file is not JSON"),
        (b"[" * 100_000, "lite2[.]json: the file is not JSON"),
        (b"[1]", "lite2[.]json: the preprocessing should be an object"),
        (b'{"steps": []}', "lite2[.]json: preprocessing lite2 has 0 steps that resize"),
    ],
)
def test_a_file_without_a_preprocessing_is_an_error_that_names_it(
    content: bytes | None, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "lite2.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PreprocessingError, match=complaint):
        chosen_preprocessing(str(path))


@pytest.mark.parametrize("text", ["resized to 224", '{"name":"x","steps":[{"step":"rotate"}]}', "[" * 100_000])
def test_a_preprocessing_of_another_program_is_shown_as_it_is(text: str) -> None:
    assert readable(text) == text


def test_a_background_is_an_option_of_every_preprocessing_and_white_without() -> None:
    black = named_preprocessing("study:background=black")
    assert black == replace(named_preprocessing("study"), name="study:background=black", background=(0, 0, 0))
    assert named_preprocessing("caffe:background=#0a0B0c").adjusted(size=64).background == (10, 11, 12)
    assert named_preprocessing("study").background == WHITE
    assert named_preprocessing("study:background=white") == named_preprocessing("study")
    assert "background" not in named_preprocessing("study").to_json()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("studie:background=black", "no preprocessing is called studie"),
        ("study:size=3", "a preprocessing has the option background, as in study:background=black, not size=3"),
        ("study:background=blak", "a color such as black, gray or #808080, not blak"),
        ("study:background=#11223344", "a color such as"),
        ("study:background=", "a color such as"),
    ],
)
def test_what_is_no_background_is_an_error(name: str, complaint: str) -> None:
    with pytest.raises(PreprocessingError, match=complaint):
        named_preprocessing(name)


def test_the_study_crops_resizes_and_scales() -> None:
    assert named_preprocessing("study").to_json() == {
        "name": "study",
        "steps": [
            {"step": "central-crop", "fraction": 0.8},
            {"step": "resize", "height": 128, "width": 128, "aspect": "stretch", "antialias": False},
            {"step": "divide", "by": 255.0},
            {"step": "subtract", "values": (0.5, 0.5, 0.5)},
        ],
    }
    assert named_preprocessing("study").shape == (128, 128, 3)
    assert named_preprocessing("study").dimension == 49_152


def test_antialiased_is_the_study_with_antialiasing() -> None:
    study, antialiased = named_preprocessing("study"), named_preprocessing("antialiased")
    steps = [replace(step, antialias=True) if isinstance(step, Resize) else step for step in study.steps]
    assert antialiased == Preprocessing("antialiased", tuple(steps))
    assert str(antialiased) == (
        "antialiased: central crop 0.8, resize to 128 x 128, with antialiasing, divide by 255, subtract 0.5"
    )


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_size_and_crop_of_every_preprocessing_can_be_changed(name: str) -> None:
    changed = named_preprocessing(name).adjusted(size=32, crop=0.5)
    assert changed.shape == (32, 32, 3)
    assert [step for step in changed.steps if isinstance(step, CentralCrop)] == [CentralCrop(0.5)]
    assert named_preprocessing(name).adjusted() == named_preprocessing(name)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(
        PreprocessingError, match="no preprocessing is called stud; choose from study, antialiased, study-resnet"
    ):
        named_preprocessing("stud")


@pytest.mark.parametrize("crop", [0.0, -0.5, 1.01, float("nan")])
def test_a_crop_outside_its_range_is_an_error(crop: float) -> None:
    with pytest.raises(PreprocessingError, match="crop"):
        named_preprocessing("study").adjusted(crop=crop)


@pytest.mark.parametrize("size", [0, -1, 100_000])
def test_a_size_outside_its_range_is_an_error(size: int) -> None:
    with pytest.raises(PreprocessingError, match="side of a resized image"):
        named_preprocessing("study").adjusted(size=size)


RESIZE = {"step": "resize", "height": 8, "width": 8}
CROPPED = RESIZE | {"aspect": "crop"}
BICUBIC = RESIZE | {"filter": "bicubic", "antialias": True}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "preprocessing should be an object"),
        ({"name": "study"}, "preprocessing should be an object"),
        ({"steps": [RESIZE, {"step": "sharpen"}]}, "unknown step sharpen"),
        ({"steps": [RESIZE, "resize"]}, "unknown step resize"),
        ({"steps": [RESIZE | {"method": "bicubic"}]}, "step resize has no method"),
        ({"steps": [{"step": "resize", "height": 8}]}, "step resize lacks a value"),
        ({"steps": [RESIZE | {"height": "8"}]}, "is a finite number, not 8"),
        ({"steps": [RESIZE | {"height": True}]}, "is a finite number, not True"),
        ({"steps": [RESIZE | {"height": 8.5}]}, "1 to 4096 pixels, not 8.5"),
        ({"steps": [RESIZE | {"aspect": "squeeze"}]}, "stretch or crop, not squeeze"),
        ({"steps": [RESIZE | {"antialias": "yes"}]}, "true or false, not yes"),
        ({"steps": [RESIZE | {"filter": "lanczos"}]}, "bilinear or bicubic, not lanczos"),
        ({"steps": [RESIZE | {"filter": "bicubic"}]}, "set antialias to true"),
        ({"steps": [CROPPED | {"crop_ratio": "1"}]}, "the crop ratio is a finite number, not 1"),
        ({"steps": [CROPPED | {"crop_ratio": 0}]}, "above 0 and at most 1, .*, not 0"),
        ({"steps": [CROPPED | {"crop_ratio": 1.5}]}, "above 0 and at most 1, .*, not 1.5"),
        ({"steps": [CROPPED | {"crop_ratio": 1e-320}]}, "at most 4096 pixels before the crop"),
        ({"steps": [RESIZE | {"crop_ratio": 0.5}]}, "a resize with a crop ratio has the aspect crop"),
        ({"name": "x", "steps": [{"step": "divide", "by": 255}, BICUBIC]}, "x changes colors before a bicubic resize"),
        ({"steps": [RESIZE, RESIZE]}, "has 2 steps that resize, not one"),
        ({"steps": []}, "has 0 steps that resize, not one"),
        ({"steps": [RESIZE, {"step": "divide", "by": 0}]}, "cannot divide by 0"),
        ({"steps": [RESIZE, {"step": "subtract", "values": [1, 2]}]}, "3 channels"),
        ({"steps": [RESIZE], "background": [0, 0, 256]}, "three whole numbers from 0 to 255, not"),
        ({"steps": [RESIZE], "background": [0, 0]}, "three whole numbers from 0 to 255, not"),
        ({"steps": [RESIZE], "background": [0, 0.5, True]}, "three whole numbers from 0 to 255, not"),
        ({"steps": [RESIZE], "background": "black"}, "three whole numbers from 0 to 255, not black"),
    ],
)
def test_a_preprocessing_from_elsewhere_is_checked(content: object, complaint: str) -> None:
    with pytest.raises(PreprocessingError, match=complaint):
        Preprocessing.from_json(content)
