"""One class per format: given pairs one by one, it writes what its readers expect.

A writer knows its staging folder and nothing of where pairs come from. A new format is a class here and a line in
``WRITERS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.export.instructions import IMAGE_TOKEN, human_turn
from synthvlm_ui.export.items import ExportItem, ExportOptions, Unfit
from synthvlm_ui.export.pictures import Picture
from synthvlm_ui.export.records_json import flat_row, line
from synthvlm_ui.export.staging import Staging
from synthvlm_ui.records import short_hash

LLAVA_FILE, JSONL_FILE, PARQUET_FOLDER, IMAGES = "llava.json", "data.jsonl", "data", "images"
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_PARQUET_ROWS, _PARQUET_BATCH_BYTES, _PARQUET_FILE_BYTES = 1000, 64 * 2**20, 512 * 2**20


class Writer(Protocol):
    """Writes one format. ``add`` raises Unfit for a pair its readers could not use, before writing any of it."""

    note: ClassVar[str]

    def __init__(self, staging: Staging, options: ExportOptions) -> None: ...

    def add(self, item: ExportItem, picture: Picture) -> None: ...

    def close(self) -> None: ...


class LlavaWriter:
    """A JSON array of LLaVA records; ``image`` is relative to the folder ``images``, LLaVA's --image_folder."""

    note: ClassVar[str] = "LLaVA JSON and a folder of images, for LLaVA's two training stages"

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging, self._seed = staging, options.seed
        self._file = staging.open_text(LLAVA_FILE)
        self._before = "[\n"

    def add(self, item: ExportItem, picture: Picture) -> None:
        candidate = item.candidate
        if IMAGE_TOKEN in candidate.caption:
            raise Unfit(f"caption holds {IMAGE_TOKEN}, which LLaVA reads as a second image")
        name = image_name(candidate.id, picture.suffix)
        self._staging.write_bytes(f"{IMAGES}/{name}", picture.data)
        turns = [{"from": "human", "value": human_turn(self._seed, candidate.id)},
                 {"from": "gpt", "value": candidate.caption}]
        self._file.write(self._before + line({"id": candidate.id, "image": name, "conversations": turns})[:-1])
        self._before = ",\n"

    def close(self) -> None:
        self._file.write("\n]\n" if self._before == ",\n" else "[]\n")
        self._file.close()


class JsonlWriter:
    """JSON lines with facts and scores side by side; ``image`` is relative to the export."""

    note: ClassVar[str] = "JSON lines with captions, facts and scores, and a folder of images"

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging = staging
        self._file = staging.open_text(JSONL_FILE)

    def add(self, item: ExportItem, picture: Picture) -> None:
        name = f"{IMAGES}/{image_name(item.candidate.id, picture.suffix)}"
        self._staging.write_bytes(name, picture.data)
        self._file.write(line(flat_row(item) | {"image": name}))

    def close(self) -> None:
        self._file.close()


class ParquetWriter:
    """Parquet files with the images inside, as Hugging Face datasets reads them (feature Image: bytes and path)."""

    note: ClassVar[str] = "parquet with the images inside, opens in Hugging Face datasets and pandas"

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        self._staging = staging
        self._rows: list[dict[str, Any]] = []
        self._schema: Any = None
        self._writer: Any = None
        self._parts = self._waiting_bytes = self._file_bytes = 0
        (staging.path / PARQUET_FOLDER).mkdir()

    def add(self, item: ExportItem, picture: Picture) -> None:
        row = flat_row(item) | {"image": {"bytes": picture.data, "path": f"{item.candidate.id}.{picture.suffix}"}}
        self._rows.append(row)
        self._waiting_bytes += len(picture.data)
        if len(self._rows) >= _PARQUET_ROWS or self._waiting_bytes >= _PARQUET_BATCH_BYTES:
            self._write_rows()

    def close(self) -> None:
        self._write_rows()
        self._finish_file()

    def _write_rows(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._rows:
            return
        if self._schema is None:
            self._schema = _schema_of(self._rows)
        unknown = {name for row in self._rows for name in row} - set(self._schema.names)
        if unknown:
            raise BadSetting(f"some candidates have the score {min(unknown)!r} and the first ones do not",
                             fix="Score all candidates alike, then export again.")
        table = pa.Table.from_pylist(self._rows, schema=self._schema)
        if self._writer is None:
            target = self._staging.path / self._part()
            self._writer = pq.ParquetWriter(target, self._schema, compression="zstd")
        self._writer.write_table(table)
        self._file_bytes += self._waiting_bytes
        self._rows, self._waiting_bytes = [], 0
        if self._file_bytes >= _PARQUET_FILE_BYTES:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._staging.record(self._part())
            self._writer, self._file_bytes = None, 0
            self._parts += 1

    def _part(self) -> str:
        return f"{PARQUET_FOLDER}/part-{self._parts:05d}.parquet"


def _schema_of(rows: list[dict[str, Any]]) -> Any:
    """Facts by their kinds, scores as double unless the first rows hold texts or truth values."""
    import pyarrow as pa

    fields = []
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [row[name] for row in rows if row.get(name) is not None]
        if name == "image":
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        elif known and all(isinstance(value, bool) for value in known):
            kind = pa.bool_()
        elif known and all(isinstance(value, int) for value in known):
            kind = pa.int64() if max(known) < 2**63 else pa.uint64()
        elif any(isinstance(value, str) for value in known):
            kind = pa.string()
        else:
            kind = pa.float64()
        fields.append(pa.field(name, kind))
    features = {"info": {"features": {field.name: _feature(field) for field in fields}}}
    return pa.schema(fields, metadata={"huggingface": line(features).strip()})


def _feature(field: Any) -> dict[str, str]:
    if field.name == "image":
        return {"_type": "Image"}
    return {"dtype": {"double": "float64"}.get(str(field.type), str(field.type)), "_type": "Value"}


def image_name(pair_id: str, suffix: str) -> str:
    """A file name that is safe on every system, in one of 256 sub-folders so that none grows too large."""
    stem = pair_id if _SAFE_NAME.fullmatch(pair_id) and not pair_id.endswith(".") else short_hash("file", pair_id)
    return f"{short_hash('folder', pair_id)[:2]}/{stem}.{suffix}"


WRITERS: Mapping[str, type[Writer]] = {"llava": LlavaWriter, "jsonl": JsonlWriter, "parquet": ParquetWriter}
