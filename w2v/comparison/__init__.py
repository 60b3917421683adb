"""The same model under several losses: one process each, one table, one plot.

compared = Comparison("corpus.txt", "neg,hsigmoid", output="compared").run()
print(compared.table())
"""
