"""Language models: an embedding, a body that turns embeddings into hidden rows, and any output
layer."""
