"""Measurements against other systems on the same machine, paired in the same run; see ../run.py.

options     the command lines of run.py
training    w2v and its peers train on one corpus: speed, whole time, memory, accuracy
losses      forward + backward of the output layers against torch, TensorFlow and Paddle
recipes     every loss with both models on the demo corpus
entries     the rows of the training table
spread      medians with their spread, ratios within rounds
systems     how each peer is called, and what it cannot do
text        the corpus as plain text, and what its vocabulary says
process     one run of a program: seconds, peak memory, what it printed
worker      a process that stays, and is stopped while others are measured
machine     processor, and its rate of matrix products
tables      results as tables for a pipe, a terminal and Markdown
results     the tables of results.md
peers/      scripts that run inside the peers' own interpreters, which have the peer but not w2v:
            they import nothing of w2v's, but for w2v_losses and softmax_memory, which measure w2v
"""
