"""Shipping a finished prompt: one file a format, a self-check for each."""

from spul.exports._base import EXPORTS, Export, ExportSettings, Source
from spul.exports.write import ExportResult, check_exportable, write_export

__all__ = ["EXPORTS", "Export", "ExportResult", "ExportSettings", "Source", "check_exportable", "write_export"]
