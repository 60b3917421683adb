"""How good word vectors are: analogy and similarity sets."""
