"""TensorFlow as the backend of flows."""

from simtool.models.flows.backend.tensorflow.gradients import permuted, pulled_back, with_gradient
from simtool.models.flows.backend.tensorflow.parts import joined, split
from simtool.models.flows.backend.tensorflow.scan import scan, scan_back, scan_taken

__all__ = ["joined", "permuted", "pulled_back", "scan", "scan_back", "scan_taken", "split", "with_gradient"]
