"""A chain of invertible steps with stacked weights, (K, ...).

Three modes of backpropagation give the same gradients at different costs:

``plain`` keeps every activation that the gradient needs. It is the fastest.
``recompute`` keeps the input of each step, and computes the step a second time (Chen et al., 2016).
``reversible`` keeps only the output of the chain, and recovers the input of each step by inverting the step (Gomez et
al., 2017), so that memory does not grow with depth. The backward pass evaluates each coupling network once: its output
serves the inverse and the gradient.

With a few steps, both of the latter modes also keep the outputs of the coupling networks, which are small. The last
layer of each network is then computed only once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from keras import ops

from simtool.models.errors import ModelError
from simtool.models.flows.backend import (
    depth_of,
    few,
    joined,
    pulled_back,
    scan,
    scan_back,
    scan_taken,
    split,
    with_gradient,
)
from simtool.models.flows.config import MODES, Mode
from simtool.models.flows.taps import Coupling, Take, Tap, pieces

__all__ = ["NETWORK", "Chain", "Step"]

#: The names of the weights of coupling networks start with it.
NETWORK = "coupling/"

Weights = Mapping[str, Any]
Tensors = tuple[Any, ...]
#: From the gradients by y and by the log-determinant to the gradients by x and by each of the weights.
Gradient = Callable[[Any, Any], Tensors]


class Step(ABC):
    """One step of a flow: an invertible linear map, then a coupling (Dinh et al., 2017).

    The values are split in two parts. A network computes h from part a, and h says how part b is transformed. Weights
    are those of one step, by name; the names of the weights of the network start with :data:`NETWORK`.
    """

    @abstractmethod
    def split(self, own: Weights, x: Any) -> tuple[Any, Any]:
        """The two parts of the input x (b, h, w, c), after the linear map."""

    @abstractmethod
    def unsplit(self, own: Weights, x_a: Any, x_b: Any) -> Any:
        """The inverse of :meth:`split`, with the weights of :meth:`with_inverse`."""

    @abstractmethod
    def split_gradient(self, own: Weights, x: Any, of_a: Any, of_b: Any) -> tuple[Any, dict[str, Any]]:
        """The gradients of :meth:`split` by x and by its weights, from the gradients by the two parts."""

    @abstractmethod
    def join(self, own: Weights, x_a: Any, y_b: Any) -> Any:
        """The output (b, h, w, c): both parts, without a change of values."""

    @abstractmethod
    def divide(self, own: Weights, y: Any) -> tuple[Any, Any]:
        """The inverse of :meth:`join`; it gives the gradients of :meth:`join`, too."""

    @abstractmethod
    def hidden(self, own: Weights, x_a: Any) -> Any:
        """The activations of the last hidden layer of the network."""

    @abstractmethod
    def output(self, own: Weights, hidden: Any) -> Any:
        """The output h of the network."""

    @abstractmethod
    def transform(self, h: Any, x_b: Any) -> tuple[Any, Any]:
        """y_b, and the log-determinant of each image (b,)."""

    @abstractmethod
    def restore(self, h: Any, y_b: Any) -> Any:
        """The inverse of :meth:`transform`."""

    @abstractmethod
    def seen(self, own: Weights, hidden: Any, h: Any, y: Any) -> Coupling:
        """The coupling as taps see it, from the hidden activations and the output of the network; y is the step's."""

    def network(self, own: Weights, x_a: Any) -> Any:
        """The output h of the network."""
        return self.output(own, self.hidden(own, x_a))

    def with_inverse(self, stacked: Weights) -> Weights:
        """The weights of all steps, with what :meth:`unsplit` needs in addition."""
        return stacked

    def apply(self, own: Weights, x: Any) -> tuple[Any, Any, Any]:
        """The output (b, h, w, c), the log-determinant of each image (b,), and the output of the network."""
        x_a, x_b = self.split(own, x)
        h = self.network(own, x_a)
        y_b, log_det = self.transform(h, x_b)
        return self.join(own, x_a, y_b), log_det, h

    def tapped(self, own: Weights, x: Any) -> tuple[Any, Any, Coupling]:
        """The output (b, h, w, c), the log-determinant of each image (b,), and the coupling."""
        x_a, x_b = self.split(own, x)
        hidden = self.hidden(own, x_a)
        h = self.output(own, hidden)
        y_b, log_det = self.transform(h, x_b)
        y = self.join(own, x_a, y_b)
        return y, log_det, self.seen(own, hidden, h, y)

    def invert(self, own: Weights, y: Any) -> Any:
        """The inverse of :meth:`apply`, with the weights of :meth:`with_inverse`."""
        x_a, y_b = self.divide(own, y)
        return self.unsplit(own, x_a, self.restore(self.network(own, x_a), y_b))

    def back(
        self, own: Weights, x: Any | None, y: Any, h: Any | None, of_y: Any, of_log_det: Any
    ) -> tuple[Any, Any, dict[str, Any]]:
        """The input of the step, and the gradients by the input and by the weights.

        Args:
            own: the weights, of :meth:`with_inverse` if there is no input.
            x: the input; None to recover it from the output.
            y: the output.
            h: the output of the network; None to compute it.
            of_y: the gradient by the output.
            of_log_det: the gradient by the log-determinant.
        """
        x_a, known_b = self.divide(own, y) if x is None else self.split(own, x)
        inside = {name: weight for name, weight in own.items() if name.startswith(NETWORK)}
        computed, through_network = pulled_back(lambda x_a, inside: self.network(inside, x_a), x_a, inside)
        # The compiler drops the last layer from the graph if the known output serves instead.
        h = computed if h is None else h
        x_b = self.restore(h, known_b) if x is None else known_b
        _, through_transform = pulled_back(self.transform, h, x_b)
        of_a, of_b = self.divide(own, of_y)
        of_h, of_x_b = through_transform((of_b, of_log_det))
        of_x_a, of_inside = through_network(of_h)
        if x is None:
            x = self.unsplit(own, x_a, x_b)
        of_x, of_linear = self.split_gradient(own, x, of_a + of_x_a, of_x_b)
        return x, of_x, of_inside | of_linear


class Chain:
    """Steps that follow one another.

    Args:
        step: their kind.
        weights: the stacked weights that gradients are wanted of, by name.
        fixed: other stacked values of the steps.
    """

    def __init__(self, step: Step, weights: Weights, fixed: Weights | None = None) -> None:
        self._step, self._weights, self._fixed = step, weights, fixed or {}
        self._few = few(depth_of(weights))

    def forward(self, x: Any, mode: Mode = "plain") -> tuple[Any, Any]:
        """All steps, towards the latents, from x (b, h, w, c).

        Returns:
            y (b, h, w, c), and the log-determinant of the couplings for each image (b,).

        Raises:
            ModelError: there is no such mode.
        """
        if mode not in MODES:
            raise ModelError(f"there is no mode of backpropagation {mode}; the modes are {', '.join(MODES)}")
        if mode == "plain":
            y, log_det, _ = self._ahead(self._weights, x, mode)
            return y, log_det
        return self._by_hand(x, mode)

    def tapped(self, x: Any, taps: Sequence[Tap]) -> tuple[Any, Any, Tensors]:
        """All steps, towards the latents, and what taps take on the way. Nothing differentiates them.

        Returns:
            y (b, h, w, c), the log-determinant of the couplings for each image (b,), and for each tap (steps, b, ...).
        """
        weights = {**self._weights, **self._fixed}
        taken: list[list[Any]] = [[] for _ in taps]
        state: Tensors = (x, ops.zeros_like(x[:, 0, 0, 0]))
        for steps, numbers in pieces(depth_of(weights), taps):
            own = {name: stacked[steps.start - 1 : steps.stop - 1] for name, stacked in weights.items()}
            state, found = self._taken(own, state, [taps[number].take for number in numbers])
            for number, values in zip(numbers, found, strict=True):
                taken[number].append(values)
        y, log_det = state
        return y, log_det, tuple(ops.concatenate(values) for values in taken)

    def _taken(self, weights: Weights, state: Tensors, takes: Sequence[Take]) -> tuple[Tensors, Tensors]:
        """The state (the output, the log-determinant of each image) after some steps, and what is taken from each."""

        def body(own: Weights, state: Tensors) -> tuple[Tensors, Tensors]:
            y, log_det, coupling = self._step.tapped(own, state[0])
            return (y, state[1] + log_det), tuple(take(coupling) for take in takes)

        return scan_taken(weights, body, state, len(takes))

    def inverse(self, y: Any) -> Any:
        """All steps, towards the image. The weights are those of :meth:`Step.with_inverse`."""

        def body(own: Weights, state: Tensors, _: Tensors) -> tuple[Tensors, Weights]:
            return tuple(self._step.invert(own, y) for y in state), {}

        state, _ = scan_back({**self._weights, **self._fixed}, body, split(y), ())
        return joined(state)

    def _ahead(self, weights: Weights, x: Any, mode: Mode) -> tuple[Any, Any, Any]:
        """The output, the log-determinant of the couplings for each image, and what the mode keeps of each step."""
        parts = split(x)

        def body(own: Weights, state: Tensors) -> tuple[Tensors, Tensors]:
            inputs, log_dets = state[: len(parts)], state[len(parts) :]
            outputs, changes, of_networks = zip(*(self._step.apply(own, x) for x in inputs), strict=True)
            totals = tuple(total + change for total, change in zip(log_dets, changes, strict=True))
            return (*outputs, *totals), self._kept(inputs, of_networks, mode)

        start = (*parts, *(ops.zeros_like(part[:, 0, 0, 0]) for part in parts))
        keeps = len(parts) * ((mode == "recompute") + self._few)
        state, kept = scan({**weights, **self._fixed}, body, start, None if mode == "plain" else keeps)
        return joined(state[: len(parts)]), joined(state[len(parts) :]), kept

    def _kept(self, inputs: Tensors, of_networks: Tensors, mode: Mode) -> Tensors:
        """The tensors of a step that its gradient uses: inputs of the step, outputs of its network."""
        if mode == "plain":
            return ()
        return (*(inputs if mode == "recompute" else ()), *(of_networks if self._few else ()))

    def _by_hand(self, x: Any, mode: Mode) -> tuple[Any, Any]:
        """The output and the log-determinant, with a custom gradient."""
        names = list(self._weights)

        def steps(x: Any, *stacked: Any) -> tuple[tuple[Any, Any], Gradient]:
            weights = dict(zip(names, stacked, strict=True))
            y, log_det, kept = self._ahead(weights, x, mode)
            return (y, log_det), lambda of_y, of_log_det: self._back(weights, y, of_y, of_log_det, kept, mode)

        y, log_det = with_gradient(steps, x, *self._weights.values())
        return y, log_det

    def _back(self, weights: Weights, y: Any, of_y: Any, of_log_det: Any, kept: Any, mode: Mode) -> Tensors:
        """The gradients by the input of the chain and by each of the weights."""
        names, of_log_dets = list(weights), split(of_log_det)
        count = len(of_log_dets)
        if mode == "reversible":
            weights = self._step.with_inverse(weights)

        def body(own: Weights, state: Tensors, kept: Tensors) -> tuple[Tensors, Weights]:
            outputs, of_outputs = state[:count], state[count:]
            inputs = kept[:count] if mode == "recompute" else (None,) * count
            of_networks = kept[-count:] if self._few else (None,) * count
            of_parts = [
                self._step.back(own, *part)
                for part in zip(inputs, outputs, of_networks, of_outputs, of_log_dets, strict=True)
            ]
            xs, of_xs, of_own = zip(*of_parts, strict=True)
            return (*xs, *of_xs), {name: reduce(add, [part[name] for part in of_own]) for name in names}

        state, gradients = scan_back({**weights, **self._fixed}, body, (*split(y), *split(of_y)), names, kept)
        return joined(state[count:]), *(gradients[name] for name in names)
