from __future__ import annotations

import pytest

from simtool.judgments.codebook import Codebook
from simtool.judgments.headings import nearest, recognize


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("wieght", "weight"),
        ("particpant", "participant"),
        ("refrence_2", "reference_2"),
        ("subject", "participant"),
        ("height", None),
        ("country", None),
        ("age", None),
    ],
)
def test_a_name_that_is_close_to_a_column_means_it(name: str, meant: str | None) -> None:
    assert nearest(name) == meant


def test_a_row_of_ids_in_place_of_the_header_is_told() -> None:
    with pytest.raises(
        ValueError, match=r"the header should be query,.*; it is a, b, c, c; .* simtool import-embeddings takes vectors"
    ):
        recognize(["a", "b", "c", "c"])


def test_a_position_of_the_odd_one_is_read_by_its_own_format() -> None:
    with pytest.raises(ValueError, match="if choice is the position of the odd one, add --format things-raw"):
        recognize(["image1", "image2", "image3", "choice"])


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (
            "subject_nr,trial_index,img_a,img_b,img_c,odd,response_time",
            "image_1=img_a image_2=img_b image_3=img_c odd_one=odd participant=subject_nr",
        ),
        ("img1,img2,img3,ooo", "image_1=img1 image_2=img2 image_3=img3 odd_one=ooo"),
        ("participant,image_1,image_2,image_3,odd_rt,odd", "odd_one=odd"),
        ("image_3,image_2,image_1,response,subject,user", "odd_one=response participant=subject"),
        ("stim_a,stim_b,stim_c,key", "image_1=stim_a image_2=stim_b image_3=stim_c odd_one=NAME"),
        (
            "query,left,right,img_left,response,worker_id,subject",
            "reference_1=left reference_2=right selected_1=response participant=worker_id",
        ),
    ],
)
def test_a_refused_header_is_told_the_options_that_name_its_columns(names: str, options: str) -> None:
    with pytest.raises(ValueError, match=r"; (rename them, or )?add --column") as failure:
        recognize(names.split(","))
    told = str(failure.value).split("add --column ")[1].split(" --column ")
    assert told == options.split()
    columns = dict(option.split("=") for option in told)
    if "NAME" not in columns.values():
        assert recognize(names.split(","), Codebook(columns=columns)).selected
