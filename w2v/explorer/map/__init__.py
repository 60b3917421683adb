"""A map of words: an interactive HTML page, and a table of the coordinates.

neighbours.py  the exact nearest words of each word, by cosine
layout.py      the coordinates of each word, by t-SNE or PCA
classes.py     k-means clustering
packing.py     compresses all data for the page
drawing.py     makes the page and the table
"""

from w2v.explorer.map.drawing import WordMap, check_map, draw_map, table_path

__all__ = ["WordMap", "check_map", "draw_map", "table_path"]
