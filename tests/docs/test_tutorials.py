"""The tutorials run as written, and print what they show: ``python -m tests.docs.running`` updates them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.docs.examples import blocks, blocks_of
from tests.docs.running import SHOWN, TUTORIALS, with_outputs

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
BAR = re.compile("[│┊─█▉▊▋▌▍▎▏]+")


def words_of(text: str) -> list[str]:
    """The words of an output, without its numbers and bars."""
    return NUMBER.sub("#", BAR.sub(" ", text)).split()


def numbers_of(text: str) -> list[float]:
    """The numbers of an output."""
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def test_an_output_is_its_words_and_its_numbers() -> None:
    output = "pixels  mse   .5155  1,234  .47–.53  0  │█▌──  ┊"
    assert words_of(output) == ["pixels", "mse", "#", "#", "#–#", "#"]
    assert numbers_of(output) == [0.5155, 1234, 0.47, 0.53, 0]


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    """A block of ``text`` shows the output of the block before it; vectors of networks differ between processors."""
    pairs = zip(blocks_of(with_outputs(page, tmp_path)), blocks(page), strict=True)
    outputs = [(ran.text, written.text) for ran, written in pairs if written.language == SHOWN]
    for ran, written in outputs:
        assert words_of(ran) == words_of(written)
        np.testing.assert_allclose(numbers_of(ran), numbers_of(written), atol=0.02)
    assert outputs
