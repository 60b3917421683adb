"""Compares losses: trains the same model with each, one process per loss, and tabulates results."""
