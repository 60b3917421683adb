"""The recurrence of a GRU over a whole sequence, forward and backward, on a CPU's vector units."""
