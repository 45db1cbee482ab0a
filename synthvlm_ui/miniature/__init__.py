"""The small world: captioned scenes, finite corpora, and the recipes behind every shipped weight.

Importing this package is cheap; torch and the renderer load only when a recipe runs.
The embedded language model, tokenizer, generator, VLM and CLIP all come from here
(`python -m synthvlm_ui.miniature`).
"""
