"""The report of a training: one HTML page that needs nothing else, in the style of the benchmark's."""

from edgevision.trainers.report.writing import check_report as check_report
from edgevision.trainers.report.writing import write_report as write_report
