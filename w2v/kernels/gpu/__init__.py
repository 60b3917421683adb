"""Fused kernels for GPUs, in Triton. They are imported only when a GPU is used."""
