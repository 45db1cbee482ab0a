"""Export: a selection as a folder that a training program reads, and the check that program would make."""

from synthvlm_ui.export.archive import Archive
from synthvlm_ui.export.checking import ValidationReport
from synthvlm_ui.export.contents import exports_in
from synthvlm_ui.export.exporting import export, export_llava, formats
from synthvlm_ui.export.items import ExportItem, ExportOptions, ExportReport, ImageFormat
from synthvlm_ui.export.push import Push, plan_push, push
from synthvlm_ui.export.staging import check_out
from synthvlm_ui.export.validate import validate

__all__ = [
    "Archive",
    "ExportItem",
    "ExportOptions",
    "ExportReport",
    "ImageFormat",
    "Push",
    "ValidationReport",
    "check_out",
    "export",
    "export_llava",
    "exports_in",
    "formats",
    "plan_push",
    "push",
    "validate",
]
