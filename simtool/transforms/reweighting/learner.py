"""Learning a reweighting from training comparisons, with a choice of the penalty by nested folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.folds import FoldError, HoldOut, comparison_folds
from simtool.scoring.distances import SimilarityError
from simtool.scoring.given import score_distances
from simtool.scoring.plan import Plan
from simtool.scoring.scoring import score_vectors
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.embeddings import Segment
from simtool.tables.trials import Trials
from simtool.text import counted
from simtool.transforms.linear import LinearMap
from simtool.transforms.reweighting.families import Kind, family_of
from simtool.transforms.reweighting.fitting import Weighting, fits
from simtool.transforms.reweighting.loss import PairwiseLoss, Similarity
from simtool.transforms.reweighting.space import Space

__all__ = ["Learned", "Learner", "Recipe", "directed_distances"]

Array = NDArray[np.float64]

#: Folds within the training part, which choose the penalty.
_NESTED = 3
#: Spaces that are kept, for training parts of the same images.
_SPACES = 4


@dataclass(frozen=True)
class Recipe:
    """The map to learn, and how.

    Attributes:
        kind: of map.
        similarity: the distance of ``score`` that is trained.
        components: principal components that are kept; None keeps the values as they are.
        rank: the number of values of a ``low-rank`` map.
        penalties: from the strongest to the weakest; nested folds choose one of several.
        segments: of the vectors, for ``segments``.
    """

    kind: Kind = Kind.FULL
    similarity: Similarity = Similarity.COSINE
    components: int | None = 64
    rank: int = 16
    penalties: tuple[float, ...] = (1e5, 3e4, 1e4, 3e3, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
    segments: tuple[Segment, ...] = ()

    @property
    def fits(self) -> int:
        """The most fits of one learning: of each penalty in each nested fold, then in the whole training part."""
        count = len(self.penalties)
        return count if count == 1 else (_NESTED + 1) * count


@dataclass(frozen=True)
class Learned:
    """A reweighting.

    Attributes:
        space: in which it learned.
        weighting: its map, or maps.
        similarity: that was trained.
        penalty: that was used.
    """

    space: Space
    weighting: Weighting
    similarity: Similarity
    penalty: float

    @property
    def identity(self) -> Learned:
        """The vectors before they learned: standardised and projected as the training images say."""
        return replace(self, weighting=Weighting.identity(self.weighting.family, len(self.weighting.sides)))

    def maps(self, name: str) -> list[LinearMap]:
        """The maps of vectors: of the images that are compared, then of the anchor if it has its own."""
        weights = [self.space.weights(self.weighting.family.weights(side)) for side in self.weighting.sides]
        return [LinearMap(self.space.mean, self.space.std, each, np.zeros(each.shape[-1]), name) for each in weights]

    def credit(self, vectors: Array, trials: Trials, plan: Plan) -> NDArray[np.float32]:
        """The credit of all comparisons of trials, (C,).

        Args:
            vectors: (n, D), a vector for each of ``trials.images``.
            trials: the trials.
            plan: of the trials.

        Raises:
            SimilarityError: a vector has no direction.
        """
        anchor, other = self.weighting.apply(self.space.coordinates(vectors))
        used = plan.used
        if anchor is other:
            if self.similarity is Similarity.COSINE:
                _check_direction(other[used], trials.images[used])
            return score_vectors(other, trials, [str(self.similarity)])[0].credit
        distances = directed_distances(anchor[used], other[used], self.similarity, trials.images[used])
        return score_distances(distances, plan)[0].credit


class Learner:
    """Learns from some comparisons of trials.

    Args:
        vectors: (n, D), a vector for each of ``trials.images``; of images that no trial shows, any.
        trials: the trials.
        recipe: what to learn.
        seed: of the nested folds.
        step: called after each step of a search; an error that it raises ends the learning.
    """

    def __init__(
        self, vectors: Array, trials: Trials, recipe: Recipe, seed: int = 0, step: Callable[[], object] = lambda: None
    ) -> None:
        self._vectors, self._trials, self._recipe, self._seed, self._step = vectors, trials, recipe, seed, step
        self._space_of = lru_cache(maxsize=_SPACES)(self._fitted_space)

    def learn(
        self, training: Comparisons, hold_out: HoldOut, advance: Callable[[int], object] = lambda _: None
    ) -> Learned:
        """Learn from training comparisons, of whose images alone the standardisation and the components are.

        Args:
            training: comparisons of the trials.
            hold_out: the scheme of the nested folds that choose the penalty.
            advance: called with a number of fits after them: with ``Recipe.fits`` in all. A penalty that is not tried
                counts as fitted.

        Raises:
            FoldError: there are too few judgments for nested folds.
        """
        penalties = self._recipe.penalties
        if len(penalties) > 1:
            penalties = penalties[: self._chosen(training, hold_out, advance) + 1]
        space, coordinates = self._space(training)
        weighting = self._start(coordinates)
        for fitted in self._fits(training, coordinates, penalties):
            weighting = fitted
            advance(1)
        advance(len(self._recipe.penalties) - len(penalties))
        return Learned(space, weighting, self._recipe.similarity, penalties[-1])

    def _chosen(self, training: Comparisons, hold_out: HoldOut, advance: Callable[[int], object]) -> int:
        """The position of the penalty with the smallest loss of nested held-out comparisons.

        The search goes from strong to weak penalties, and ends where the loss grows.
        """
        try:
            folds = comparison_folds(self._trials, training, hold_out, _NESTED, self._seed)
        except FoldError as failure:
            raise FoldError(
                f"no penalty can be chosen within a training part: {failure}; or give --penalty"
            ) from failure
        paths = [self._losses(training.take(fold.train), training.take(fold.test)) for fold in folds]
        sizes = [int(fold.test.sum()) for fold in folds]
        best, place, left = np.inf, 0, _NESTED * len(self._recipe.penalties)
        for position in range(len(self._recipe.penalties)):
            loss = 0.0
            for path, size in zip(paths, sizes, strict=True):
                loss += size * next(path)
                advance(1)
                left -= 1
            if not loss < best:  # also if it is not a number
                break
            best, place = loss, position
        advance(left)
        return place

    def _losses(self, training: Comparisons, testing: Comparisons) -> Iterator[float]:
        """The loss of held-out comparisons for each penalty."""
        _, coordinates = self._space(training)
        held = PairwiseLoss(testing, len(coordinates), self._recipe.similarity)
        for weighting in self._fits(training, coordinates, self._recipe.penalties):
            yield held(*weighting.apply(coordinates), weighting.log_scale)[0]

    def _fits(self, training: Comparisons, coordinates: Array, penalties: Sequence[float]) -> Iterator[Weighting]:
        loss = PairwiseLoss(training, len(coordinates), self._recipe.similarity)
        return fits(loss, coordinates, self._start(coordinates), penalties, self._step)

    def _start(self, coordinates: Array) -> Weighting:
        recipe = self._recipe
        family = family_of(recipe.kind, coordinates.shape[1], recipe.rank, recipe.segments)
        return Weighting.identity(family, recipe.kind.sides)

    def _space(self, training: Comparisons) -> tuple[Space, Array]:
        """The space of the images of training comparisons, and the coordinates of all images in it."""
        seen = np.zeros(len(self._vectors), bool)
        for images in (training.anchor, training.near, training.far):
            seen[images] = True
        return self._space_of(seen.tobytes())

    def _fitted_space(self, seen: bytes) -> tuple[Space, Array]:
        """The same of the images that a mask marks; with whole trials held out, all masks are often equal."""
        images = np.frombuffer(seen, bool)
        space = Space.fit(self._vectors[images], self._recipe.components, self._recipe.segments)
        return space, space.coordinates(self._vectors)


def _check_direction(vectors: Array, image_id: NDArray[np.object_]) -> None:
    """Refuse vectors of zeros, which have no cosine."""
    empty = np.flatnonzero(~vectors.any(axis=1))
    if empty.size:
        raise SimilarityError(
            f"no cosine for {counted(empty.size, 'images')} whose centered or transformed vectors hold only zeros: "
            f"{listed(image_id[empty])}; mse and dot take them"
        )


def directed_distances(
    anchor: Array, other: Array, similarity: Similarity, image_id: NDArray[np.object_], name: str = "reweighted"
) -> DistanceTable:
    """The distances from each image as an anchor to each other image.

    Args:
        anchor: (n, K) vectors of the images as anchors.
        other: (n, K) vectors of the images that are compared with them.
        similarity: the distance.
        image_id: (n,) their ids.
        name: of the table.

    Raises:
        SimilarityError: a vector has no direction.
    """
    if similarity is Similarity.COSINE:
        for vectors in (anchor, other):
            _check_direction(vectors, image_id)
        anchor = anchor / np.linalg.norm(anchor, axis=1, keepdims=True)
        other = other / np.linalg.norm(other, axis=1, keepdims=True)
    distance = -(anchor @ other.T)
    if similarity is Similarity.COSINE:
        distance += 1
    elif similarity is Similarity.MSE:
        squares = [np.einsum("nk,nk->n", each, each) for each in (anchor, other)]
        distance = (2 * distance + squares[0][:, None] + squares[1]) / anchor.shape[1]
    apart = ~np.eye(len(anchor), dtype=bool)
    first, second = (places.astype(np.int32) for places in np.nonzero(apart))
    info = DistanceInfo(name, symmetric=False, measure=f"{similarity}, from an anchor")
    return DistanceTable.of(Pairs(image_id, first, second, distance[apart]), info)
