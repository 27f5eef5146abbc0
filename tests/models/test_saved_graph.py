"""The operations that a SavedModel may not have. Whole SavedModels are in test_saved_model.py."""

from __future__ import annotations

import re

import pytest

from simtool.models.saved_graph import reaches_outside
from simtool.tensorflow import load_tensorflow


def test_every_operation_of_tensorflow_with_a_name_of_a_file_is_refused() -> None:
    load_tensorflow()
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    known = op_def_pb2.OpList()
    known.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    named = re.compile(r"(?:^|_)(?:files?|filenames?|file_pattern|path|pattern|address)$")
    found = [op.name for op in known.op if any(named.search(part.name) for part in (*op.input_arg, *op.attr))]
    allowed = {"StaticRegexReplace", "StaticRegexFullMatch", "RegexReplace", "RegexFullMatch"}  # patterns of texts
    assert len(found) > 30
    assert {name for name in found if not reaches_outside(name)} <= allowed


@pytest.mark.parametrize(
    "operation", ["Conv2D", "StatefulPartitionedCall", "ReadVariableOp", "XlaCallModule", "Einsum"]
)
def test_operations_of_networks_are_not_refused(operation: str) -> None:
    assert not reaches_outside(operation)
