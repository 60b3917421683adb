"""Evaluates word vectors on sets of analogies and word similarities."""
