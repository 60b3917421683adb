"""The arithmetic shared by the layers and the functions of `w2v.compat.losses`."""
