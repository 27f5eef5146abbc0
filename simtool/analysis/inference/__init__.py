"""Intervals of means, and tests of differences between them.

The comparisons of a trial share a participant and a query, and all trials share a few hundred images. An interval
that treats comparisons as independent (a binomial interval) is several times too narrow. The intervals here take their
shape from replicates that resample clusters and images together (:mod:`bootstrap`) and their width from a multiway
cluster-robust variance (:mod:`multiway`). :mod:`estimation` combines both.
"""
