"""Anatomy and pose of a toy bird."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.toy.canvas import smooth_curve
from simtool.toy.traits import Bird

__all__ = ["SPREAD", "Anatomy", "Points", "Pose", "moved"]

#: A wing that is raised more than this is open.
SPREAD = 0.5
#: (k, 2) or (2,): x and y.
Points = NDArray[np.float64]


def moved(points: Points, dx: float, dy: float) -> Points:
    """Move points (or one point) by ``dx`` to the right and ``dy`` downwards."""
    return np.asarray(points + np.array([dx, dy]))


@dataclass(frozen=True)
class Pose:
    """The pose of a bird; it is independent of its species.

    Attributes:
        tilt: the backward lean in radians.
        faces_left: whether it looks to the left.
        tail: the lift of the tail in radians.
        head: the height of the head, from -1 to 1.
        wing: the lift of the wing, from 0 (folded) to 1 (spread).
    """

    tilt: float
    faces_left: bool
    tail: float
    head: float
    wing: float


class Anatomy:
    """The positions of a bird's parts, in body lengths: x points to the beak, y down, the body is at 0, 0.

    Attributes:
        spine: (k, 2) the middle of the body, from tail to head.
        radii: (k,) the radius of the body at these points.
        head: (2,) the middle of the head.
        head_radius: the radius of the head.
        tail_base: (2,) the base of the tail.
        tail_length: the length of the tail.
        beak_length: the length of the beak.
        shoulder: (2,) the base of the wing.
        belly: y of the lowest point of the body.
        feet: (2,) the point between the feet.
    """

    def __init__(self, bird: Bird, pose: Pose) -> None:
        plump = 0.74 + 0.44 * bird.shape("plumpness")
        long_neck = bird.shape("neck")
        neck = 0.30 * long_neck + 0.03 * pose.head
        slim = 1.0 - 0.35 * max(0.0, long_neck - 0.4)
        self.pose = pose
        self.head_radius = 0.148 + 0.075 * bird.shape("head")
        self.head = np.array([0.36 + 0.20 * neck, -0.20 - 0.14 * plump - neck])
        joints = [
            (-0.68, 0.21, 0.065),
            (-0.44, 0.13, 0.140 * plump),
            (-0.16, 0.05, 0.250 * plump),
            (0.10, -0.03, 0.262 * plump),
            (0.28 + 0.05 * neck, -0.16 - 0.40 * neck, 0.190 * plump * slim),
            (*self.head, self.head_radius),
        ]
        curve = smooth_curve(joints, steps=6)
        self.spine, self.radii = curve[:, :2], np.maximum(curve[:, 2], 0.03)
        self.tail_base = self.spine[3]
        self.tail_length = 0.28 + 0.75 * bird.shape("tail_length")
        self.tail_angle = float(np.arctan2(0.21, -1.0)) + pose.tail
        self.beak_length = 0.08 + 0.52 * bird.shape("beak_length") ** 1.3
        self.shoulder = np.array([0.22, -0.10 - 0.05 * plump])
        self.belly = 0.03 + 0.255 * plump
        self.leg = 0.06 + 0.46 * bird.shape("leg_length")
        self.feet = np.array([0.02, self.belly + self.leg])
        self._crest = bird.shape("crest")

    def placed(self, points: Points) -> Points:
        """Apply the pose to points, relative to the feet; (k, 2) to (k, 2)."""
        return np.asarray((points - self.feet) @ self.turn.T)

    @property
    def turn(self) -> NDArray[np.float64]:
        """The rotation and mirroring of the pose, (2, 2)."""
        # A bird leans back when its beak (x > 0) moves up (y < 0). A bird that faces left is mirrored afterwards.
        cos, sin = np.cos(self.pose.tilt), np.sin(self.pose.tilt)
        mirror = np.array([[-1.0 if self.pose.faces_left else 1.0], [1.0]])
        return np.asarray(mirror * np.array([[cos, sin], [-sin, cos]]))

    def bounds(self) -> tuple[Points, Points]:
        """Return the corners (left, top) and (right, bottom) of the box around the posed bird, relative to its feet."""
        reach = 1.12 * self.tail_length + 0.12
        tail = self.tail_base + reach * np.array([np.cos(self.tail_angle), np.sin(self.tail_angle)])
        tip = moved(self.head, self.head_radius + self.beak_length, 0.1)
        crest = self.head - (self.head_radius * (1.0 + self._crest), self.head_radius * (1.1 + 2.0 * self._crest))
        wing = self.shoulder + 0.98 * np.array([np.cos(np.pi - 0.3), np.sin(np.pi - 0.3)])
        hidden = [tail, tip, crest, wing, moved(self.feet, -0.2, 0.06), moved(self.feet, 0.25, 0.06)]
        if self.pose.wing > SPREAD:
            hidden.append(moved(self.shoulder, 0.0, -1.02))
        extreme = np.concatenate([np.stack(hidden), self.spine - self.radii[:, None], self.spine + self.radii[:, None]])
        seen = self.placed(extreme)
        return seen.min(axis=0) - 0.05, seen.max(axis=0) + 0.05
