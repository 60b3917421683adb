"""The same model under several losses: one process each, one table, one plot."""
