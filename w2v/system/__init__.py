"""Operating-system services: files, locks, memory, cores, limits. Independent of words."""
