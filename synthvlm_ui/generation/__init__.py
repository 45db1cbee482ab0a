"""Generation: from captions and settings to a plan of candidates, and from requests to encoded images.

Does not know where a generator comes from, where shards lie, or what a score is.
"""

from synthvlm_ui.generation.cascade import Draft, Gated, cascade_report, cascade_sums, gate
from synthvlm_ui.generation.draw import Begun, Drawn, begin, draw, finish
from synthvlm_ui.generation.encode import encode_image, encode_thumbnail, read_embedded_facts
from synthvlm_ui.generation.overlap import in_turn, overlapped
from synthvlm_ui.generation.plan import Plan, PlanItem, load_plan, plan_items, resolve_settings, save_plan

__all__ = [
    "Begun", "Draft", "Drawn", "Gated", "Plan", "PlanItem", "begin", "cascade_report", "cascade_sums", "draw",
    "encode_image", "encode_thumbnail", "finish", "gate", "in_turn", "load_plan", "overlapped", "plan_items",
    "read_embedded_facts", "resolve_settings", "save_plan",
]
