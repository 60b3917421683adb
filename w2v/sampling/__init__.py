"""Noise words and sub-sampling: distributions, samplers, TensorFlow's candidate samplers."""
