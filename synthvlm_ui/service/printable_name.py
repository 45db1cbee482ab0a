"""Names that people give to themselves and to what they keep. Knows neither journal nor page."""

from __future__ import annotations

from synthvlm_ui.errors import BadSetting


def printable_name(name: str, kind: str, *, where: str, most: int) -> str:
    """The name itself. Raises: BadSetting when it is empty, longer than ``most`` characters or not printable."""
    if not name or len(name) > most or not name.isprintable():
        raise BadSetting(f"{name[:most + 10]!r} cannot be the name of a {kind}", where=where,
                         fix=f"Give 1 to {most} printable characters.")
    return name
