"""Which names may become file names. Knows no directory."""

from __future__ import annotations

import re

from synthvlm_ui.errors import BadSetting

_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")
_CANDIDATE_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


def is_name(name: str) -> bool:
    """Whether this is safe as a file name on every platform."""
    return _NAME.fullmatch(name) is not None


def checked_name(kind: str, name: str) -> str:
    """The name itself, when it is safe as a file name on every platform. Raises: BadSetting."""
    if not is_name(name):
        raise BadSetting(f"{name!r} cannot be the name of a {kind}",
                         fix="Use 1 to 64 of the characters A-Z a-z 0-9 . _ - and do not start with a dot.")
    return name


def checked_candidate_id(candidate_id: str) -> str:
    """The id itself, when it fits the S16 column and the member names of a shard. Raises: BadSetting."""
    if not _CANDIDATE_ID.fullmatch(candidate_id):
        raise BadSetting(f"{candidate_id!r} cannot be the id of a candidate",
                         fix="Use at most 16 of the characters A-Z a-z 0-9 _ -.")
    return candidate_id
