"""What reads the text of a language model: recurrent, attention, windows of words."""
