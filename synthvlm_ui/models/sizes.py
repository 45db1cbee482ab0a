"""Named configurations of the Synth2 networks: the shipped small world beside the papers' sizes.

* "tiny": for trying things on a processor; learns next to nothing.
* "miniature": what ships in assets/, 64 px.
* "paper": Synth2 Table 6 (VQ-GAN), A.1.3 (generator), A.1.4 (VLM), 256 px in 16 x 16 tokens.

Knows no weights and no training. Where the paper is silent or contradicts itself the comment says what was taken.
"""

from __future__ import annotations

from typing import Any

from synthvlm_ui.models.masked_generator import GeneratorConfig
from synthvlm_ui.models.vlm import VlmConfig
from synthvlm_ui.models.vq_tokenizer import TokenizerConfig
from synthvlm_ui.models.vqgan import VqGanConfig

TOKENIZERS: dict[str, TokenizerConfig | VqGanConfig] = {
    "tiny": VqGanConfig(
        side=32, base=16, multipliers=(1, 2, 2), blocks=1, decoder_base=16, decoder_blocks=1, code_width=32, codes=256
    ),
    "miniature": TokenizerConfig(),
    "paper": VqGanConfig(),
    # The decoder that the paper trains afterwards for finer pictures: twice as wide, four blocks in each resolution.
    "paper-decoder": VqGanConfig(decoder_base=256, decoder_blocks=4),
}

# The grid, the digits and the text's width and length of a generator follow its tokenizer and language model; what
# stands here is for the language models of the same name.
GENERATORS: dict[str, GeneratorConfig] = {
    "tiny": GeneratorConfig(levels=(256,), grid=8, fold=2, width=64, code_width=32, layers=2, heads=2),
    "miniature": GeneratorConfig(),
    # A.1.3: 12 layers, 12 heads, 768 wide, MLP 3072, dropout 0.1, GELU, 8192 codes, texts of 64 tokens. (The paper's
    # body says 24 layers of width 769, which 12 heads do not divide; the appendix is taken.) A plain transformer: no
    # folding, no convolution. How text enters is not said; here its keys and values stand beside those of the tokens
    # in every layer.
    "paper": GeneratorConfig(
        levels=(8192,), grid=16, fold=1, width=768, code_width=768, layers=12, heads=12, text_width=2048,
        text_length=64, dropout=0.1, activation="gelu", neighbours=False,
    ),
}  # fmt: skip

VLMS: dict[str, VlmConfig] = {
    "tiny": VlmConfig(tokens=64, codes=256, code_width=32, width=32, latents=8, depth=1, heads=2, head_width=16),
    "miniature": VlmConfig(fold=2, mixing=2),
    # A.1.4 and 4.1.2: 6 layers, 16 heads, 1024 wide, 64 latents, cross-attention before every layer of the language
    # model. Its MLP has ReLU (that of the Idefics classes) where the paper has GELU.
    "paper": VlmConfig(
        tokens=256, codes=8192, code_width=256, width=1024, latents=64, depth=6, heads=16, head_width=64
    ),
}


def paper_language_config() -> Any:
    """A LLaMA of about 400 million parameters in the place of Chinchilla 400M, which is not public.

    The paper gives its shape nowhere; 24 layers of width 1024 are a stand-in of the same size for counting and testing.
    Any causal language model can be named when training.
    """
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=32_000, hidden_size=1024, intermediate_size=2816, num_hidden_layers=24, num_attention_heads=16,
        max_position_embeddings=2048, tie_word_embeddings=False,
    )  # fmt: skip
