from __future__ import annotations

import numpy as np
import pytest

from simtool.datasets.matching import MatchError, match_images

CUB = np.array(["054.Blue_Grosbeak/X.jpg", "054.Blue_Grosbeak/Y.jpg", "016.Painted_Bunting/Z.jpg"], object)


def test_ids_match_themselves_even_where_file_names_repeat() -> None:
    ids = np.array(["a/X.jpg", "b/X.jpg"], object)
    assert match_images(["b/X.jpg", "a/X.jpg"], ids, "t").tolist() == ["b/X.jpg", "a/X.jpg"]


def test_other_names_match_by_file_name() -> None:
    names = ["Cardinalidae/Painted_Bunting/Z.jpg", "X.jpg"]
    assert match_images(names, CUB, "t").tolist() == ["016.Painted_Bunting/Z.jpg", "054.Blue_Grosbeak/X.jpg"]


def test_a_name_of_nothing_matches_nothing() -> None:
    assert match_images([], CUB, "t").size == 0


def test_missing_images_are_counted_and_the_first_few_named() -> None:
    with pytest.raises(MatchError, match=r"^cub\.parquet: 5 of the 6 images .* p\.jpg, q\.jpg, r\.jpg and 2 more$"):
        match_images(["X.jpg", "p.jpg", "q.jpg", "r.jpg", "s.jpg", "t.jpg"], CUB, "cub.parquet")


def test_a_file_name_that_several_ids_share_is_no_name() -> None:
    with pytest.raises(MatchError, match=r"1 of the images .* several ids of this table share: c/X\.jpg"):
        match_images(["c/X.jpg"], np.array(["a/X.jpg", "b/X.jpg"], object), "t")


def test_two_names_for_one_image_are_refused() -> None:
    with pytest.raises(MatchError, match=r"1 of its images by two names each: 054\.Blue_Grosbeak/X\.jpg"):
        match_images(["X.jpg", "other/X.jpg"], CUB, "t")
