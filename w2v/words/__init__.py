"""Word vectors: skip-gram and CBOW, with the fused kernels or with autograd."""
