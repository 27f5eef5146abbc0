"""The registry of published studies."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from simtool.archive import Source
from simtool.collections.folder import index_folder
from simtool.collections.studies import Study, studies, subset
from simtool.judgments.formats import format_names
from simtool.tables.images import image_paths
from tests.studies import IMAGES, write_photographs

NAMES = np.array(IMAGES, object)


def test_the_default_is_the_first_of_four_studies() -> None:
    assert list(studies()) == ["birds-16", "imagenet-hsj", "skin-lesions", "things"]


@pytest.mark.parametrize("study", studies().values(), ids=list(studies()))
def test_an_entry_states_addresses_and_a_reader_and_whom_to_cite(study: Study) -> None:
    files = [file for file in (study.judgments, study.names, study.photographs) if file is not None]
    for file in files:
        assert file.urls
        assert all(re.fullmatch(r"https://osf\.io/\w{5}/download", url) for url in file.urls)
        assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for checksum in file.sha256)
        assert "/" not in file.name
    assert len({file.name for file in files}) == len(files)
    assert study.format in format_names()
    assert re.search(r"\((19|20)\d\d\), .*https://doi\.org/10\.", study.citation)
    assert (study.sha256_by is None) == (not study.judgments.sha256)


def test_facts_that_are_not_known_are_left_out() -> None:
    birds, skin, things = (studies()[name] for name in ("birds-16", "skin-lesions", "things"))
    assert birds.photographs == Source("birds16_stimuli.zip", ("https://osf.io/x3vuh/download",), None, ())
    assert (birds.licence, skin.licence) == (None, None)
    assert things.judgments.size is None
    assert "academic use only" in things.images_from


def test_checksums_and_sizes_are_those_of_the_published_files() -> None:
    hsj = studies()["imagenet-hsj"].judgments
    assert (hsj.size, hsj.sha256[0][:8]) == (66_260_902, "484656b0")
    skin = studies()["skin-lesions"].judgments
    assert (skin.size, skin.sha256[0][:8]) == (912_911, "26bc5918")


def test_the_rows_of_another_table_get_paths_from_their_new_place_and_groups_of_the_study(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "cub")
    source, table = tmp_path / "cub" / "images.parquet", tmp_path / "birds16" / "images.parquet"
    everything = index_folder(folder, source).images
    everything.group_name[:] = None
    everything.group_name[list(everything.image_id).index(IMAGES[5])] = "mine"
    rows = subset(everything, source, table, NAMES[[5, 6]], np.array([IMAGES[5], IMAGES[6]], object))
    groups = dict(zip(rows.image_id, rows.group_name, strict=True))
    assert groups == {IMAGES[5]: "mine", IMAGES[6]: "Family_0"}
    assert [path.resolve() for path in image_paths(table, rows)] == [
        (folder / name).resolve() for name in rows.image_id
    ]
