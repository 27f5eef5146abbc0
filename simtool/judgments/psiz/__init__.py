"""Readers of the files of psiz and psiz-datasets (Roads & Mozer 2019): observations in HDF5, sequences in JSON."""
