"""Transforms: from vectors to vectors, fitted or learned."""
