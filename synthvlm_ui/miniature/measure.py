"""Measures the parts of the small world on held-out compositions.

Knows no recipe; it loads what is on disk. Judging uses any CLIP in open_clip's local layout.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthvlm_ui.evaluation import cider, plain_words
from synthvlm_ui.miniature import words
from synthvlm_ui.miniature.contrasts import KINDS, contrast, possible
from synthvlm_ui.miniature.corpora import WORLD_HELDOUT, Row, canonical
from synthvlm_ui.miniature.drawing import foreground
from synthvlm_ui.miniature.grammar import STYLES, parse, say
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.models.language import LanguageModel
from synthvlm_ui.models.vlm import TokenVlm
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer


class Judge:
    """A CLIP that tells which caption fits a picture.

    Args:
        directory: an open_clip `local-dir`.
    """

    def __init__(self, directory: Path, device: str = "cpu") -> None:
        torchvision_ops.ensure_importable()
        import open_clip

        name = f"local-dir:{directory}"
        self.model, _, preprocess = open_clip.create_model_and_transforms(name, device=device)
        self.model.eval()
        config = self.model.visual.preprocess_cfg
        self._mean, self._std = config["mean"][0], config["std"][0]
        self.tokenizer = open_clip.get_tokenizer(name)
        self.device = device

    @torch.no_grad()
    def pictures(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Unit vectors (N, D) of pictures (N, 64, 64, 3)."""
        scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        inputs = ((scaled - self._mean) / self._std).to(self.device)
        parts = [self.model.encode_image(part, normalize=True) for part in inputs.split(64)]
        return torch.cat(parts).cpu()

    @torch.no_grad()
    def captions(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (N, D) of captions, said with the scorer's prefix."""
        ids = self.tokenizer([f"{words.CLIP_PREFIX} {text}" for text in texts]).to(self.device)
        parts = [self.model.encode_text(part, normalize=True) for part in ids.split(64)]
        return torch.cat(parts).cpu()


def distinct_rows(count: int) -> list[Row]:
    """First rows of world-heldout that name their ground and describe pairwise different scenes."""
    rows, seen = [], set()
    for index in range(WORLD_HELDOUT.size):
        row = WORLD_HELDOUT.row(index)
        key = str(canonical(row.scene))
        if row.scene.ground is None or row.scene.relation == "and" or key in seen:
            continue
        seen.add(key)
        rows.append(row)
        if len(rows) == count:
            return rows
    raise ValueError(f"world-heldout has only {len(rows)} different scenes")


def pixels_of(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Rendered pictures (N, 64, 64, 3)."""
    return np.stack([row.pixels() for row in rows])


def recall_at_1(judge: Judge, pixels: NDArray[np.uint8], captions: Sequence[str]) -> dict[str, float]:
    """Share of pictures whose own caption is first among all ("i2t"), and the reverse ("t2i")."""
    similarity = judge.pictures(pixels) @ judge.captions(captions).T
    own = torch.arange(len(similarity))
    return {
        "i2t": float((similarity.argmax(1) == own).float().mean()),
        "t2i": float((similarity.argmax(0) == own).float().mean()),
        "mean_cosine": float(similarity.diagonal().mean()),
    }


def hard_negatives(judge: Judge, rows: Sequence[Row], seed: int = 0) -> dict[str, float]:
    """Per kind of contrast, share of pictures nearer to their caption than to the changed one."""
    rng = np.random.default_rng(seed)
    pictures, captions = judge.pictures(pixels_of(rows)), [row.caption for row in rows]
    own = (pictures * judge.captions(captions)).sum(1)
    shares = {}
    for kind in KINDS:
        chosen = [i for i, row in enumerate(rows) if possible(row.scene, kind)]
        styles = [_style_of(rows[i]) for i in chosen]
        changed = [say(contrast(rows[i].scene, kind, rng), s) for i, s in zip(chosen, styles, strict=True)]
        other = (pictures[chosen] * judge.captions(changed)).sum(1)
        shares[kind] = float((own[chosen] > other).float().mean())
    return shares


def _style_of(row: Row) -> int:
    return next(style for style in range(STYLES) if say(row.scene, style) == row.caption)


def reconstruction(tokenizer: PictureTokenizer, rows: Sequence[Row], judge: Judge) -> dict[str, float]:
    """R@1 of reconstructions among the captions, PSNR in dB (all, objects), share of codes used."""
    pixels = pixels_of(rows)
    parts = [tokenizer.encode(part) for part in torch.from_numpy(pixels).split(32)]
    made = torch.cat([tokenizer.decode(part) for part in parts]).cpu().numpy()
    error = np.square(pixels.astype(np.float64) - made).mean(-1)
    objects = np.stack([foreground(row.placement) for row in rows])
    return {
        "r1": recall_at_1(judge, made, [row.caption for row in rows])["i2t"],
        "psnr_db": float(10 * np.log10(255**2 / error.mean())),
        "object_psnr_db": float(10 * np.log10(255**2 / error[objects].mean())),
        "codes_used": len(torch.cat(parts).unique()) / tokenizer.quantiser.size,
    }


def captioning(vlm: TokenVlm, tokenizer: PictureTokenizer, rows: Sequence[Row]) -> dict[str, float]:
    """CIDEr (times 100, as papers print it) of captions written from the tokens of pictures.

    References are all wordings of the scene. "shuffled": every picture is replaced by the next one, so
    what is left is what the sentence form alone earns. "scene": share of captions that say the scene
    without any mistake, in whatever wording.
    """
    references = [[plain_words(say(row.scene, style)) for style in range(STYLES)] for row in rows]
    ids = torch.cat([tokenizer.encode(part) for part in torch.from_numpy(pixels_of(rows)).split(32)])
    texts = [text for part in ids.split(64) for text in vlm.caption(part)]
    words_said = [plain_words(text) for text in texts]
    own, moved = (100 * cider(said, references)[0] for said in (words_said, words_said[1:] + words_said[:1]))
    read = [parse(text) for text in texts]
    right = [scene is not None and canonical(scene) == canonical(row.scene)
             for scene, row in zip(read, rows, strict=True)]  # fmt: skip
    return {"cider": own, "cider_shuffled": moved, "above_shuffled": own - moved, "scene": float(np.mean(right))}


def grammar_share(language: LanguageModel, count: int, seed: int = 0) -> float:
    """Share of sampled captions (temperature 1) that the grammar accepts."""
    texts = language.write(count, seed)
    return sum(parse(text) is not None for text in texts) / count


def generate(generator: Any, captions: Sequence[str], seed: int = 0, steps: int = 8) -> NDArray[np.uint8]:
    """Pictures (N, 64, 64, 3) of captions by a token generator back end; image i has seed + i."""
    from synthvlm_ui.records import GenerationRequest

    side = generator.info.native_width_px
    guidance = generator.info.default_guidance_scale
    requests = [GenerationRequest(text, seed + i, side, side, steps, guidance) for i, text in enumerate(captions)]
    return np.stack(generator.decode_tokens(generator.generate_tokens(requests)))


def seconds_per_image(generator: Any, batch: int = 16, steps: int = 8) -> float:
    """Wall seconds per image of one batch, after a warm-up."""
    captions = [row.caption for row in distinct_rows(batch)]
    generate(generator, captions[:4], steps=steps)
    started = time.perf_counter()
    generate(generator, captions, steps=steps)
    return (time.perf_counter() - started) / batch
