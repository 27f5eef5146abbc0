"""Classifiers of images: ResNet50 and the other networks of ``keras.applications``."""
