"""Fused kernels for GPUs, in Triton. Nothing imports them unless a GPU is asked for."""
