"""Builds the scorers a user names. Knows no file and no engine; an embedder is made only when a scorer needs one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.protocols import Embedder, RoundTripEngine, Scorer
from synthvlm_ui.scoring.clip_score import ClipScorer
from synthvlm_ui.scoring.guards import GuardScorer
from synthvlm_ui.scoring.ssim import PILLOW, ROUTES, SsimScorer
from synthvlm_ui.scoring.ssim_tiled import TiledSsimScorer

SCORERS = ("clip", "ssim", "ssim-tiled", "guards")


def scorer_names() -> list[str]:
    """Every name that build_scorers takes."""
    return [*SCORERS, *(f"ssim:{route}" for route in ROUTES)]


# Scorers that are told which model or file by what follows the colon.
OPEN_SCORERS = {"vqascore": "a vision-language model of transformers", "head": "a head on CLIP embeddings"}


def parse_scorers(names: Sequence[str] | str) -> tuple[str, ...]:
    """Names as the user wrote them ("clip,ssim:author", or "none") as a tuple without repeats.

    ``ssim`` takes a route after a colon. Raises: UnknownName, BadSetting when a scorer is named twice.
    """
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    if list(names) == ["none"]:
        return ()
    kinds: list[str] = []
    for name in names:
        kind, _, option = name.partition(":")
        if kind in OPEN_SCORERS:
            if not option:
                raise BadSetting(f"the scorer {name!r} names no model", where="--scorers",
                                 fix=f"Write {kind}:NAME, with the name of {OPEN_SCORERS[kind]}.")
            kinds.append(name)
            continue
        if name not in scorer_names():
            raise UnknownName.of("scorer", name, [*scorer_names(), *(f"{one}:NAME" for one in OPEN_SCORERS)])
        kinds.append(kind)
    if len(set(kinds)) < len(kinds):
        raise BadSetting("a scorer is named twice", where=", ".join(names), fix="Name each scorer once.")
    return tuple(names)


def build_scorers(names: Sequence[str] | str, embedder_factory: Callable[[], Embedder],
                  open_factory: Callable[[str], Scorer] | None = None,
                  engine: RoundTripEngine = PILLOW) -> list[Scorer]:
    """One scorer per name (see parse_scorers), heads left out, which read embeddings and no images.

    ``embedder_factory`` is called once, and only for "clip"; ``open_factory`` for names such as vqascore:MODEL;
    ``engine`` resizes what SSIM compares.
    """
    built: list[Scorer] = []
    for name in parse_scorers(names):
        kind, _, option = name.partition(":")
        if kind == "head":
            continue
        if kind in OPEN_SCORERS:
            if open_factory is None:
                raise BadSetting(f"the scorer {name!r} cannot be used here", fix="Use it with score.")
            built.append(open_factory(name))
        elif kind == "clip":
            built.append(ClipScorer(embedder_factory()))
        elif kind == "ssim-tiled":
            built.append(TiledSsimScorer(engine=engine))
        elif kind == "ssim":
            built.append(SsimScorer(option or "paper", engine=engine))
        else:
            built.append(GuardScorer())
    return built
