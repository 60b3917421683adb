"""How good word vectors are: analogy and similarity sets.

evaluate(vectors, "questions-words.txt").as_dict()
"""
