"""Classifiers of photographs: ResNet50 and the other networks of ``keras.applications``."""
