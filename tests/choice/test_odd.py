"""Odd-one-out choices, by the formula for three images."""

from __future__ import annotations

import numpy as np

from simtool.choice import rule_of
from simtool.designs import parse_type


def test_of_three_images_the_similar_pair_remains() -> None:
    similarity = np.array([0.6, 0.3, 0.1])  # of the pairs (0, 1), (0, 2), (1, 2)
    odd = np.array([[2], [1], [0]])
    found = rule_of(parse_type("3-odd-1")).log_probability(np.tile(np.log(similarity), (3, 1)), odd)
    np.testing.assert_allclose(np.exp(found), similarity)


def test_an_image_unlike_all_others_is_the_odd_one() -> None:
    rule = rule_of(parse_type("5-odd-1"))
    logs = np.where((rule.pairs == 3).any(axis=0), -100.0, 0.0)
    assert rule.log_probability(logs[None], np.array([[3]]))[0] > -1e-12
