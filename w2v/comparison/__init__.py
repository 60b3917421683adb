"""The same model under several losses: one `w2v train` process each, one table, one plot.

contenders = read_contenders(...)       which losses, each with its settings
compare(contenders, folder, ...)        the rows of the table, as the runs finish
"""
