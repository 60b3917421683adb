"""A map of words: one HTML file to search and click through, and a table of the positions.

neighbours.py  the exact nearest words of each word, by cosine
layout.py      a place in the plane for each word, t-SNE or PCA
classes.py     k-means
packing.py     all of it in few bytes, for the page
drawing.py     the two files
"""

from w2v.explorer.map.drawing import WordMap, check_map, draw_map, table_path

__all__ = ["WordMap", "check_map", "draw_map", "table_path"]
