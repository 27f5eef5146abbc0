"""Normalizing flows: the parts that any flow needs, and one package for each kind of flow."""
