"""Psychological embeddings: coordinates of images that are fitted to judgments alone.

This is no transform of vectors, because it reads trials only. It is a model of people: the images are points, near
points are similar, and similar references are chosen more often.

Source: Roads & Mozer 2019, Obtaining psychological embeddings through joint kernel and metric learning, Behavior
Research Methods 51, 2180-2193.
"""
