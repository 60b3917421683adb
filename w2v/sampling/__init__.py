"""Noise distributions, subsampling of frequent words, and TensorFlow's candidate samplers."""
