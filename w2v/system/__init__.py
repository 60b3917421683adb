"""The machine: files, locks, memory, cores, limits. Knows nothing of words."""
