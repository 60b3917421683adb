"""How good word vectors are (analogy and similarity sets), and what stands near a word.

evaluate_analogies(vectors, load_set("questions-words.txt").questions).as_dict()
nearest(vectors, [resolve(vectors, "king - man + woman")], k=10)
"""
