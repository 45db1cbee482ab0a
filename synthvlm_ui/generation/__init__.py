"""Generation: from captions and settings to a plan of candidates, and from requests to encoded images.

Does not know where a generator comes from, where shards lie, or what a score is.
"""

from synthvlm_ui.generation.draw import Drawn, draw
from synthvlm_ui.generation.encode import encode_image, encode_thumbnail, read_embedded_facts
from synthvlm_ui.generation.plan import Plan, PlanItem, load_plan, plan_items, resolve_settings, save_plan

__all__ = [
    "Drawn", "Plan", "PlanItem", "draw", "encode_image", "encode_thumbnail", "load_plan", "plan_items",
    "read_embedded_facts", "resolve_settings", "save_plan",
]
