"""What a GPU does for w2v, measured in one go: `make gpu`.

session    the tests marked gpu, then the parts one after another, each in a process of its own
parts      what the processes are asked for; how they time and tell
corpus     a text of 20 million words made from the demo corpus
rows       how fast rows are gathered and added to: the bound of the kernels
kernels    the kernels by warps, precision and programs; every loss and model
training   accuracy after an epoch, damped and undamped; five epochs end to end
models     output layers and steps of language models with a large vocabulary
readme     the README's table
"""
