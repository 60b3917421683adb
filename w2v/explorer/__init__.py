"""Pages to look at: a map of the words, and a report of runs. Each is one HTML file that asks for
nothing else.

page.py     a page from its parts in assets/: HTML, style, scripts, and what they show
map/        the words of vectors in the plane, each with its true neighbours
report/     what training runs did and came to
"""
