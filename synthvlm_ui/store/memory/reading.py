"""The bytes of one row: its facts, image or thumbnail, straight from the place in its shard that the index names.

Knows no lock: it reads beside a thread that may be moving the row, and notices.
"""

from __future__ import annotations

from typing import Literal

from synthvlm_ui.errors import CorruptData, UnknownName
from synthvlm_ui.store.files.shards import ShardStore, StaleShard
from synthvlm_ui.store.memory.catalogue import PRESENT
from synthvlm_ui.store.memory.index import Index
from synthvlm_ui.store.memory.rows import FAILED, REASONS

Part = Literal["json", "image", "thumbnail"]
Place = tuple[str, str, int, int, int]


def read_part(index: Index, shards: ShardStore, ordinal: int, part: Part) -> bytes:
    """The bytes of a part of a row.

    Raises: StaleShard when the index is behind the files, CorruptData, UnknownName when the candidate has no such part.
    """
    place = _place(index, ordinal, part)
    if place is None:
        return _absent(index, shards, ordinal, part)
    content = (shards.thumbnail_at if part == "thumbnail" else shards.read_at)(*place)
    if _place(index, ordinal, part) != place:
        raise StaleShard("the row was moved while it was read")
    return content


def _place(index: Index, ordinal: int, part: Part) -> Place | None:
    rows, shards = index.rows, index.shards
    code = int(rows["shard_code"][ordinal])
    # The stamp before the positions: an index that is being updated writes them in the opposite order, so a stamp that
    # fits the file comes with positions that fit it too.
    stamp = int(shards["thumbnail_stamp" if part == "thumbnail" else "stamp"][code])
    offset, size = int(rows[f"{part}_at"][ordinal]), int(rows[f"{part}_size"][ordinal])
    if not size or shards["state"][code] != PRESENT:
        return None
    return *shards.names[code], offset, size, stamp


def _absent(index: Index, shards: ShardStore, ordinal: int, part: Part) -> bytes:
    name = index.rows["candidate_id"][ordinal].decode("ascii")
    code = int(index.rows["shard_code"][ordinal])
    dataset, shard = index.shards.names[code]
    reason = REASONS[int(index.rows["reason"][ordinal])]
    if not reason and part == "thumbnail":
        if shards.thumbnail_stamp(dataset, shard) != int(index.shards["thumbnail_stamp"][code]):
            raise StaleShard("the thumbnails have come back")
        raise CorruptData(f"the candidate {name} has no thumbnail", where=f"{dataset}/{shard}",
                          fix="Show its image instead.")
    if reason == REASONS[FAILED]:
        raise UnknownName(f"the candidate {name} has no image: {reason}", where=f"{dataset}/{shard}")
    raise CorruptData(f"the candidate {name} cannot be read: {reason or 'its shard is not there'}",
                      where=f"{dataset}/{shard}", fix="Put the shard back, or run the generation again.")
