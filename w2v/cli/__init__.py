"""The command line, the only package that prints: one module per verb."""
