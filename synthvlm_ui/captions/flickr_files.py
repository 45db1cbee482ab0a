"""Rows of the three forms Flickr30k's captions come in: the token file, the table with bars, and the list per image.

Opens no image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from synthvlm_ui.captions.rows import Columns, Rejected, excerpt
from synthvlm_ui.captions.source import Row, Source
from synthvlm_ui.errors import BadSetting

_TOKEN = re.compile(r"(?P<image>[^\t#]+)#(?P<number>\d+)\t(?P<caption>.*)")
BARS_HEADER = ("image_name", "comment_number", "comment")
_LIST_FIELDS = {"raw", "filename", "img_id"}


def looks_like_tokens(line: str) -> bool:
    """Whether this is a line such as ``1000092795.jpg#0<tab>Two young guys ...``."""
    return bool(_TOKEN.fullmatch(line.rstrip("\r\n")))


def looks_like_bars(line: str) -> bool:
    """Whether this is the header ``image_name| comment_number| comment``."""
    return tuple(cell.strip() for cell in line.split("|")) == BARS_HEADER


def read_tokens(source: Source) -> Iterator[Row | Rejected]:
    """One row a line; the id is the image's name with the number of the reference."""
    _fixed(source, "a token file")
    with source.open_text() as file:
        for number, line in enumerate(file, 1):
            found = _TOKEN.fullmatch(line.rstrip("\r\n"))
            if found is not None:
                image = found["image"].strip()
                yield number, found["caption"], f"{image}#{found['number']}", image, None
            elif not line.isspace():
                yield Rejected(number, "not image#number, a tab and a caption", excerpt(line))


def read_bars(source: Source) -> Iterator[Row | Rejected]:
    """One row a line of image_name| comment_number| comment; a caption may hold bars itself."""
    _fixed(source, "a table with bars")
    with source.open_text() as file:
        for number, line in enumerate(file, 1):
            cells = [cell.strip() for cell in line.rstrip("\r\n").split("|", 2)]
            if number == 1 or line.isspace():
                continue
            if len(cells) != 3 or not cells[1].isdecimal():
                yield Rejected(number, "not image_name| comment_number| comment", excerpt(line))
            else:
                yield number, cells[2], f"{cells[0]}#{cells[1]}", cells[0], None


def is_list_table(names: list[str]) -> bool:
    """Whether a table with these columns has a JSON list of references per image, as the Hub's Flickr30k."""
    return set(names) >= _LIST_FIELDS


def row_of_list(line: int, record: Mapping[str, str]) -> Row | Rejected:
    """The references of one image of such a table; the split is kept."""
    try:
        texts = json.loads(record["raw"])
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not texts:
        return Rejected(line, "the column 'raw' holds no JSON list", excerpt(record["raw"]))
    facts = {"image_id": record["img_id"]} | ({"split": record["split"]} if record.get("split") else {})
    return line, texts, f"flickr-{record['img_id']}", record["filename"], facts


def _fixed(source: Source, what: str) -> None:
    if source.mapping:
        raise BadSetting(f"{what} has no columns to map", where="--map", fix="Leave --map out.")
    source.columns = Columns("comment", None, "image_name")
    source.notes.append("read as Flickr30k: a caption a reference")
