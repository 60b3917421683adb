"""Language models: an embedding, a body that turns it into hidden rows, and any output layer of the
table."""
