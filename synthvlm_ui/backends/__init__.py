"""The engines behind the plug points: one file per engine, found by name through the registry.

Importing this package imports no engine; the registry opens one when it is created by name.
"""

from synthvlm_ui.backends.device import device_watched
from synthvlm_ui.backends.engine_choice import DeviceMemory, check_engine, choose_engine
from synthvlm_ui.backends.generator_facts import GeneratorFacts
from synthvlm_ui.backends.http_patience import Budget, BudgetSpent
from synthvlm_ui.backends.model_files import is_here, require_weights, resolve_weights
from synthvlm_ui.backends.registry import (
    create_embedder,
    create_generator,
    create_round_trip_engine,
    create_scorer,
    create_writer,
    list_backends,
    list_generators,
    open_image_tower,
    require_embedder,
    require_generator,
    require_scorer,
    require_writer,
)
from synthvlm_ui.backends.text_embedders import TEXT_EMBEDDERS, create_text_embedder, require_text_embedder
from synthvlm_ui.backends.writer_names import require_sight

__all__ = [
    "TEXT_EMBEDDERS", "Budget", "BudgetSpent", "DeviceMemory", "GeneratorFacts", "check_engine", "choose_engine",
    "create_embedder", "create_generator", "create_round_trip_engine", "create_scorer", "create_text_embedder",
    "create_writer", "device_watched", "is_here", "list_backends", "list_generators", "open_image_tower",
    "require_embedder", "require_generator", "require_scorer", "require_sight", "require_text_embedder",
    "require_weights", "require_writer", "resolve_weights",
]
