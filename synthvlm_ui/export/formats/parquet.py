"""Parquet files with the images inside, as Hugging Face datasets reads them (feature Image: bytes and path)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, UnreadableFile
from synthvlm_ui.export.checking import Findings, Pair, check_caption, check_id, place_of
from synthvlm_ui.export.formats.form import Entry, Form, data_files
from synthvlm_ui.export.items import ExportOptions, Split
from synthvlm_ui.export.records_json import flat_row, line
from synthvlm_ui.export.staging import Staging

FOLDER = "data"
_BATCH_ROWS, _BATCH_BYTES, _FILE_BYTES = 1000, 64 * 2**20, 512 * 2**20


class _Files:
    """The files of one split: a new one after ``pairs`` pairs or half a gigabyte."""

    def __init__(self, staging: Staging, split: Split, pairs: int) -> None:
        self._staging, self._split, self._most = staging, split, pairs
        self._rows: list[dict[str, Any]] = []
        self._schema: Any = None
        self._writer: Any = None
        self._parts = self._waiting_bytes = self._file_bytes = self._file_rows = 0

    def add(self, row: dict[str, Any], size_bytes: int) -> None:
        self._rows.append(row)
        self._waiting_bytes += size_bytes
        whole = self._file_rows + len(self._rows) >= self._most
        if whole or len(self._rows) >= _BATCH_ROWS or self._waiting_bytes >= _BATCH_BYTES:
            self._write_rows()
        if whole or self._file_bytes >= _FILE_BYTES:
            self._finish_file()

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
            self._writer = pq.ParquetWriter(self._staging.path / self._part(), self._schema, compression="zstd")
        self._writer.write_table(table)
        self._file_bytes += self._waiting_bytes
        self._file_rows += len(self._rows)
        self._rows, self._waiting_bytes = [], 0

    def _finish_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._staging.record(self._part())
            self._writer, self._file_bytes, self._file_rows = None, 0, 0
            self._parts += 1

    def _part(self) -> str:
        return f"{FOLDER}/{self._split}-{self._parts:05d}.parquet"


class ParquetWriter:
    """One row per pair: facts, scores and the image; typed by the first thousand rows."""

    def __init__(self, staging: Staging, options: ExportOptions) -> None:
        (staging.path / FOLDER).mkdir()
        self._files = {split: _Files(staging, split, options.shard_pairs) for split in options.splits}

    def add(self, entry: Entry) -> None:
        image = {"bytes": entry.picture.data, "path": f"{entry.item.candidate.id}.{entry.picture.suffix}"}
        row = flat_row(entry.item) | {"id": entry.id, "image": image}
        self._files[entry.split].add(row, len(entry.picture.data))

    def close(self) -> None:
        for files in self._files.values():
            files.close()


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


def check(path: Path, findings: Findings) -> Iterator[Pair]:
    """Every row has an id, a caption and an image."""
    import pyarrow as pa

    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [path]
    if not files:
        raise UnreadableFile("no parquet file", where=str(folder), fix="Name the folder of the export.")
    seen: set[str] = set()
    for file in files:
        try:
            yield from _check_file(file, seen, findings)
        except (pa.ArrowException, OSError, RuntimeError, OverflowError, UnicodeDecodeError) as problem:
            findings.error(f"{file.name}: cannot be read as parquet: {str(problem).splitlines()[0]}")


def _check_file(file: Path, seen: set[str], findings: Findings) -> Iterator[Pair]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    missing = [name for name in ("id", "caption", "image") if name not in table.schema_arrow.names]
    if missing:
        findings.error(f"{file.name}: no column {', '.join(missing)}")
        findings.records += table.metadata.num_rows
        return
    for batch in table.iter_batches(batch_size=256, columns=["id", "caption", "image"]):
        batch.validate(full=True)
        for row in batch.to_pylist():
            findings.records += 1
            place = place_of(findings.records, row)
            check_id(row, place, seen, findings)
            check_caption(row["caption"], place, findings)
            data = row["image"].get("bytes") if isinstance(row["image"], dict) else row["image"]
            if isinstance(data, bytes):
                yield Pair(place, data)
            else:
                findings.error(f"{place}: no image")


FORM = Form(
    note="parquet with the images inside, opens in Hugging Face datasets and pandas",
    use='In Hugging Face datasets: `load_dataset("parquet", data_files="data/*.parquet")`.',
    files="`data/`", writer=ParquetWriter, check=check,
    card_head=lambda splits: data_files("data/{split}-*.parquet", splits))
