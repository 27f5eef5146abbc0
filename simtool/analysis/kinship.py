"""Families of models: which models of a report are the same network, or are trained alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import TypeAlias

from simtool.analysis.labels import SAME
from simtool.tables.outcomes import Outcomes

__all__ = ["kinship"]

#: A fact that all models of a family share: its kind and its value.
_Fact: TypeAlias = tuple[str, str]
#: The first word of a name, and what follows it.
_FIRST = re.compile(r"\W*([^\W_]+)(.*)", re.DOTALL)
#: The words of a name, and the marks between them.
_WORDS = re.compile(r"[^\W_]+|[\W_]+")
#: A sign that joins the names of several models: ``A + B``.
_JOINED = re.compile(r"\s[^\w\s(\[]\s")


def kinship(outcomes: Sequence[Outcomes]) -> dict[str, str]:
    """The name of the family of each model.

    Two models are of one family if they share the weights (layers of a network, numbers of components), or the origin
    (trainings of the same architecture, untrained controls); also if a third model connects them. All models that know
    labels only are one family. Names decide for models whose tables do not state weights: those that begin with the
    same word are one family. A name that joins several models by a sign (``A + B``) is another family.

    The name of a family is what the names of its models have in common at their start, or else at their end.
    """
    members: dict[_Fact, str] = {}
    leader: dict[str, str] = {}
    for each in outcomes:
        leader.setdefault(each.model, each.model)
        for fact in _facts(each):
            one, other = _first(leader, each.model), _first(leader, members.setdefault(fact, each.model))
            leader[max(one, other, key=list(leader).index)] = min(one, other, key=list(leader).index)
    families: dict[str, list[str]] = {}
    for model in leader:
        families.setdefault(_first(leader, model), []).append(model)
    return {model: name for name, models in _named(list(families.values())) for model in models}


def _first(leader: dict[str, str], model: str) -> str:
    """The first model of the family of a model."""
    while leader[model] != model:
        model = leader[model]
    return model


def _facts(outcomes: Outcomes) -> Iterator[_Fact]:
    """The facts that a model shares with its family."""
    found = outcomes.lineage
    if found is not None and found.origin is not None:
        yield "origin", found.origin
    if found is not None and found.weights is not None:
        yield "weights", found.weights
    elif outcomes.distance == SAME:
        yield "distance", SAME
    else:
        word = _FIRST.match(outcomes.model)
        alone = word is None or _JOINED.search(word[2])
        yield "name", outcomes.model if word is None or alone else word[1].casefold()


def _named(families: Sequence[Sequence[str]]) -> Iterator[tuple[str, Sequence[str]]]:
    """Families with names that differ: equal names get a number."""
    names = [_common(models) for models in families]
    seen: Counter[str] = Counter()
    for name, models in zip(names, families, strict=True):
        seen[name] += 1
        yield name if names.count(name) == 1 else f"{name} ({seen[name]})", models


def _common(models: Sequence[str]) -> str:
    """The part that names have in common at their start or end, in whole words; else the first name."""
    if len(models) == 1:
        return models[0]
    words = [_WORDS.findall(model) for model in models]
    start, end = _same(words), _same([own[::-1] for own in words])[::-1]
    return _bare(start) or _bare(end) or models[0]


def _same(names: Sequence[Sequence[str]]) -> list[str]:
    """The first words and marks of names, as long as they are the same."""
    columns = zip(*names, strict=False)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


def _bare(words: Sequence[str]) -> str:
    """Words and the marks between them."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", "".join(words))
