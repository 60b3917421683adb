"""Fused training kernels: gather rows, score, residual, update, in one pass without autograd."""
