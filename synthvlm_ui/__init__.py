"""SynthVLM UI: from a caption to a trained vision-language model, and back to the threshold that made it.

Flow: captions -> generation -> scoring -> selection -> comparison / diversity -> export -> training -> evaluation.

Dependency rule, checked by import-linter (see pyproject.toml): app -> ui | cli -> service ->
findings -> pipeline | jobs | miniature -> rooms -> models -> protocols -> records | config -> errors.
Rooms never import each other; torch, diffusers, transformers and open_clip are named only in models, backends,
training, evaluation, miniature and findings; gradio only in ui and app.py.

This module imports nothing, so that ``import synthvlm_ui`` costs nothing.
"""

__version__ = "0.1.0"
