"""Language models: recurrent, transformer and feed-forward bodies over any output layer."""
