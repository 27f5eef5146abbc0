"""Models of whatever kind, loaded from folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest, write_manifest
from simtool.models.registry import KINDS, load_model
from simtool.tables.provenance import Provenance, sha256_of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"size": None, "config": {"size": None}, "classes": ["x"]}])
def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path, kind: str, settings: dict[str, object]) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.npz").write_bytes(b"")
    origin = Provenance(("simtool",), (), "simtool", "2026-01-01T00:00:00+00:00")
    hashes = {"weights.npz": sha256_of(folder / "weights.npz")}
    write_manifest(folder, Manifest(kind, "x", named_preprocessing("study"), hashes, (), settings, origin))
    with pytest.raises(ModelError) as failure:
        load_model(folder)
    assert str(failure.value).startswith(str(folder))
