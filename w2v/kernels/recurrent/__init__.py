"""The recurrences of LSTM and GRU over a whole sequence, forward and backward, on a CPU's vector
units."""
