"""Validity of a study: what its report would say about simulated people whose rule of choice is known.

Every check keeps the design of the study (its displays, participants, sessions and images) and replaces the
selections. :mod:`null` shuffles them, :mod:`coverage` and :mod:`recovery` let simulated people choose.
"""
