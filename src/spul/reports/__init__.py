"""Tables, pictures and the HTML report, from run directories alone."""

from spul.reports.html import render_report, write_report
from spul.reports.table import cost_table, metrics_table, results_table

__all__ = ["cost_table", "metrics_table", "render_report", "results_table", "write_report"]
