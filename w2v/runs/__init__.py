"""A run on disk: its directory, its checkpoints, going on with it."""
