"""The style sheets of the tabs keep out of each other's way: a class that two of them lay out looks wrong in one."""

from __future__ import annotations

import re
from collections import defaultdict

from synthvlm_ui.config import REPOSITORY

SHEETS = REPOSITORY / "synthvlm_ui" / "ui" / "css"


def test_no_class_is_laid_out_by_two_tabs() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for sheet in SHEETS.glob("*.css"):
        if sheet.stem == "app":  # the common forms, which tabs may refine
            continue
        plain = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        for selectors in re.findall(r"([^{}]+)\{", plain):
            for selector in selectors.split(","):
                if name := re.fullmatch(r"\.(s-[\w-]+)", selector.strip()):
                    owners[name[1]].add(sheet.stem)
    assert len(owners) > 100
    assert {name: sheets for name, sheets in owners.items() if len(sheets) > 1} == {}
