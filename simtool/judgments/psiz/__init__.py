"""The file formats of psiz and psiz-datasets (Roads & Mozer 2019): judgments as HDF5 and as JSON sequences."""

from __future__ import annotations

from simtool.judgments.psiz.documents import Documents, find_documents
from simtool.judgments.psiz.observations import Layout, layout_of, read_observations
from simtool.judgments.psiz.sequences import read_sequences

__all__ = ["Documents", "Layout", "find_documents", "layout_of", "read_observations", "read_sequences"]
