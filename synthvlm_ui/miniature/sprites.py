"""Re-makes the committed sprites from the Fluent emoji package (needs the `sprites` extra: resvg-py).

    python -m synthvlm_ui.miniature.sprites PACKAGE_DIR

PACKAGE_DIR is an unpacked npm package `@iconify-json/fluent-emoji-flat` (MIT, Microsoft).
Knows nothing about scenes; training needs only the PNG files this wrote.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

from PIL import Image

from synthvlm_ui.miniature import words

SPRITE_SIDE = 96  # divisible by 32 and 24, so that a box filter shrinks it exactly
SPRITES_DIR = Path(__file__).resolve().parents[2] / "assets" / "miniature" / "sprites"


def render_icon(package: Path, icon: str) -> Image.Image:
    """RGBA sprite of one icon, 96x96.

    Raises:
        KeyError: the package has no such icon.
    """
    import resvg_py

    icons = json.loads((package / "icons.json").read_text("utf-8"))
    entry = icons["icons"][icon]
    width, height = entry.get("width", icons["width"]), entry.get("height", icons["height"])
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{SPRITE_SIDE}" height="{SPRITE_SIDE}">{entry["body"]}</svg>'
    )
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")


def main() -> None:
    """Write one PNG per noun of the vocabulary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--out", type=Path, default=SPRITES_DIR)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for noun, (_, icon) in words.OBJECTS.items():
        render_icon(arguments.package, icon).save(arguments.out / f"{noun}.png", optimize=True)


if __name__ == "__main__":
    main()
