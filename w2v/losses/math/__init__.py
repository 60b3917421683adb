"""The arithmetic that layers and functions share."""
