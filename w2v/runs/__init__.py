"""A run on disk: its directory, its checkpoints, and how it is resumed."""
