"""A workspace made from another one without copying its pictures: what is written once is shared, the rest is copied.

Rests on how the store writes: a file of these folders becomes visible whole and is never changed in place, only
replaced, so a second name for it (a hard link) keeps showing what it showed. The journal is changed in place.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from synthvlm_ui.store.files.atomic import TEMPORARY_SUFFIX

# Not jobs, exports, models and findings: they are the owner's; nor what is made anew when it is missing.
SHARED = ("captions", "curation", "shards", "thumbnails", "scores", "embeddings", "caption_embeddings", "selections")
COPIED = ("workspace.json", "rates.json")
JOURNAL = "journal.sqlite"


def copy_workspace(source: Path, target: Path) -> None:
    """Makes ``target``, which must not exist, a workspace with everything of ``source``; whole or not at all.

    Both must lie on one file system for files to be shared; elsewhere they are copied. Raises: OSError.
    """
    draft = target.with_name(f".{target.name}{TEMPORARY_SUFFIX}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name in SHARED:
            _share(source / name, draft / name)
        for name in COPIED:
            if (source / name).is_file():
                shutil.copyfile(source / name, draft / name)
        _copy_journal(source / JOURNAL, draft / JOURNAL)
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def added_bytes(workspace: Path) -> int:
    """Bytes of the files that a copy does not share."""
    found = 0
    for folder, _, names in os.walk(workspace):
        for name in names:
            try:
                stat = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            found += stat.st_size if stat.st_nlink == 1 else 0
    return found


def _share(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        here = target / Path(folder).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name.startswith(".") or name.endswith(TEMPORARY_SUFFIX):
                continue  # locks, and what somebody is writing just now
            try:
                os.link(os.path.join(folder, name), here / name)
            except FileNotFoundError:
                continue  # replaced meanwhile by another name
            except OSError:  # another file system, or one without links
                shutil.copyfile(os.path.join(folder, name), here / name)


def _copy_journal(source: Path, target: Path) -> None:
    if not source.is_file():
        return
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
