"""A report of training runs: one HTML file with their settings, curves and scores, to read or to
print.

record.py    what a run directory says of its run
charts.py    pictures, as SVG
sections.py  the parts of the page
writing.py   the page
"""

from w2v.explorer.report.writing import check_report, write_report

__all__ = ["check_report", "write_report"]
