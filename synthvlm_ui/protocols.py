"""The plug points: what a back end must do, in numpy, so that only the back ends themselves need torch.

Knows no implementation. ``backends.registry`` maps names to classes; tests/backends/test_contract.py runs over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.records import GenerationRequest, GeneratorInfo, ScorerInfo, WriterInfo

UInt8Image = NDArray[np.uint8]
FloatMatrix = NDArray[np.float32]
TokenMatrix = NDArray[np.uint16]


@runtime_checkable
class ImageGenerator(Protocol):
    """Turns requests into pictures.

    Shapes: returns one (height, width, 3) uint8 sRGB array per request, in order, or the exception that request
    raised, so that one bad prompt never costs its neighbours. Seeds are per request, never per batch: the same request
    on the same device and thread count gives the same pixels whatever stands beside it (across batch shapes up to
    rounding of the engine, which ``info.notes`` states).
    Raises: OutOfMemory when not even the smallest batch fits, DeviceLost; BadSetting from ``check``.
    """

    info: GeneratorInfo

    def check(self, request: GenerationRequest) -> None:
        """Raises BadSetting with the accepted values when this request could never be drawn."""

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]: ...


@runtime_checkable
class StagedGenerator(Protocol):
    """An ImageGenerator whose work falls into two halves, so that one batch is decoded while the next is denoised.

    ``denoise`` and ``decode`` are called from two threads, each from one; ``decode(denoise(requests))`` is
    ``generate(requests)``. ``prepare`` encodes the texts of the requests to come and forgets those of the last call;
    what was not prepared is encoded when it is drawn. Raises: OutOfMemory, DeviceLost.
    """

    info: GeneratorInfo

    def check(self, request: GenerationRequest) -> None: ...

    def generate(self, requests: Sequence[GenerationRequest]) -> list[UInt8Image | Exception]: ...

    def prepare(self, requests: Sequence[GenerationRequest]) -> None: ...

    def denoise(self, requests: Sequence[GenerationRequest]) -> object: ...

    def decode(self, latents: Any) -> list[UInt8Image | Exception]: ...


@runtime_checkable
class TokenGenerator(Protocol):
    """Turns requests into the token grid of a picture without painting it (Synth2 section 3.3).

    Shapes: (N, rows * columns) uint16, row-major.
    """

    info: GeneratorInfo

    def generate_tokens(self, requests: Sequence[GenerationRequest]) -> TokenMatrix: ...

    def decode_tokens(self, tokens: TokenMatrix) -> list[UInt8Image]: ...


class Embedder(Protocol):
    """Maps images and texts into one space.

    Shapes: (N, D) float32 with rows of L2 norm 1. ``truncated`` tells for each text whether the model's context cut it.
    """

    info: ScorerInfo
    dimension: int

    def embed_images(self, images: Sequence[UInt8Image]) -> FloatMatrix: ...

    def embed_texts(self, texts: Sequence[str]) -> FloatMatrix: ...

    def truncated(self, texts: Sequence[str]) -> NDArray[np.bool_]: ...


class TextEmbedder(Protocol):
    """Maps texts into a space of their own: the part of an Embedder that a language model has too.

    Shapes: (N, D) float32 with rows of L2 norm 1, whatever stands beside a text up to rounding of the engine.
    """

    info: ScorerInfo
    dimension: int

    def embed_texts(self, texts: Sequence[str]) -> FloatMatrix: ...


class RoundTripEngine(Protocol):
    """Resizes 8-bit pictures, antialiased, and on a card compares them there too.

    ``resampling`` is recorded with the numbers; ``interpolations`` are those it knows. Shapes: (height, width, 3)
    uint8 in, the same with ``size`` = (width, height) out. ``ssim`` gives the mean structural similarity of the picture
    and its round trip through ``size``, or None where the caller has to compare the pixels itself.
    """

    resampling: str
    interpolations: frozenset[str]

    def resize(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> UInt8Image: ...

    def ssim(self, image: UInt8Image, size: tuple[int, int], interpolation: str) -> float | None: ...


@dataclass(frozen=True)
class ScoredBatch:
    """What one call of a scorer gives: see Scorer."""

    columns: Mapping[str, NDArray[np.generic]]
    embeddings: NDArray[np.float16] | None = None


class Scorer(Protocol):
    """Writes numbers about (image, caption) pairs and never decides anything.

    Shapes: every column of ``info.columns`` is an (N,) array; ``embeddings`` is (N, D) float16 or None when the scorer
    has none. An image that cannot be scored gets NaN, never a made-up number.
    """

    info: ScorerInfo

    def score(self, images: Sequence[UInt8Image], captions: Sequence[str]) -> ScoredBatch: ...


@dataclass(frozen=True)
class WriteRequest:
    """One text to write. ``prompt`` is an instruction or, for a writer that follows none, the text to continue.

    ``image``: what the prompt is about, for writers with ``info.accepts_images``.
    """

    prompt: str
    seed: int = 0
    temperature: float = 1.0
    max_new_tokens: int = 96
    image: UInt8Image | None = None


@runtime_checkable
class CaptionWriter(Protocol):
    """Writes texts: captions (Synth2 section 3.1), verdicts of a gate, opinions of a judge.

    Returns one text or the exception that request raised per request, in order. Sampling is per request, never per
    batch: the same request on the same device gives the same text whatever stands beside it, up to rounding and as far
    as ``info.notes`` promises. Temperature 0 takes the likeliest word.
    """

    info: WriterInfo

    def write(self, requests: Sequence[WriteRequest]) -> list[str | Exception]: ...


class Progress(Protocol):
    """Where long work reports to, and asks whether it should stop."""

    def update(self, done: int, total: int, *, failed: int = 0, message: str = "") -> None: ...

    def should_stop(self) -> bool: ...


class Executor(Protocol):
    """Runs chunk numbers of one planned job; running a chunk twice is safe (the renamed shard is the ledger)."""

    def run(self, chunks: Sequence[int], progress: Progress) -> None: ...
