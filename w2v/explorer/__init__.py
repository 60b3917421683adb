"""HTML pages: a map of the words, and a report on runs. Each page is one self-contained file.

page.py     assembles a page from its parts in assets/ (HTML, styles, scripts) and the data
map/        the words of vectors in the plane, each with its true nearest neighbours
report/     the course and results of training runs
"""
