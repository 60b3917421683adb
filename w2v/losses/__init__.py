"""Output layers: which output rows are scored for a target x a link function on those scores."""
