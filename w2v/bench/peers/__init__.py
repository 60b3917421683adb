"""Scripts that run inside a peer's own interpreter, which has the peer but not w2v: they import
nothing of w2v's."""
