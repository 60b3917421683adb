"""Measurements against other systems on the same machine, paired in the same run: `w2v bench`.

training    w2v and its peers train on one corpus: speed, whole time, memory, accuracy
losses      forward + backward of the output layers against torch, TensorFlow and Paddle
entries     the rows of the training table
spread      medians with their spread, ratios within rounds
systems     how each peer is called, and what it cannot do
text        the corpus as plain text, and what its vocabulary says
process     one run of a program: seconds, peak memory, what it printed
worker      a process that stays, and is stopped while others are measured
machine     processor, and its rate of matrix products
peers/      scripts that run inside the peers' own interpreters
"""
