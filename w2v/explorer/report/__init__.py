"""A report on training runs: one HTML page with their settings, curves and scores, to read or to
print.

record.py    reads run directories
charts.py    draws charts as SVG
sections.py  makes the sections of the page
writing.py   makes the page
"""

from w2v.explorer.report.writing import check_report, write_report

__all__ = ["check_report", "write_report"]
