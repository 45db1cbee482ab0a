"""The formats of an export, one file each: how it is written, what its readers would assert, and how it is used.

A format knows its staging folder and nothing of where pairs come from. A new one is a file here and a line in
``FORMATS``.
"""

from collections.abc import Mapping

from synthvlm_ui.export.formats import imagefolder, jsonl, llama_factory, llava, parquet, webdataset
from synthvlm_ui.export.formats.form import Entry, Form, Writer, image_name

FORMATS: Mapping[str, Form] = {
    "llava": llava.FORM,
    "llama-factory": llama_factory.FORM,
    "webdataset": webdataset.FORM,
    "imagefolder": imagefolder.FORM,
    "parquet": parquet.FORM,
    "jsonl": jsonl.FORM,
}

__all__ = ["FORMATS", "Entry", "Form", "Writer", "image_name"]
