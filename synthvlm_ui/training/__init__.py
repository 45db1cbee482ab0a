"""The training room: recipes that train on pairs of the user's own, resumable at every step.

Knows no store, no command line and no job: it is given pairs by number, a folder to write to, and a watcher that it
reports to and that may tell it to stop. Opening this door imports no torch; ``training.recipes`` does.
"""

from synthvlm_ui.training.conversations import Conversations, LlavaFile, PairConversations
from synthvlm_ui.training.pairs import Mixture, Pairs, Source
from synthvlm_ui.training.presets import PRESETS, RECIPES, Preset, configurations, preset_of
from synthvlm_ui.training.request import Outcome, TrainRequest
from synthvlm_ui.training.room import Room, room_of_llava, room_of_synth2, shapes_of
from synthvlm_ui.training.run_directory import RunDirectory
from synthvlm_ui.training.trackers import TRACKERS, open_tracker, require_tracker

__all__ = [
    "PRESETS",
    "RECIPES",
    "TRACKERS",
    "Conversations",
    "LlavaFile",
    "Mixture",
    "Outcome",
    "PairConversations",
    "Pairs",
    "Preset",
    "Room",
    "RunDirectory",
    "Source",
    "TrainRequest",
    "configurations",
    "open_tracker",
    "preset_of",
    "require_tracker",
    "room_of_llava",
    "room_of_synth2",
    "shapes_of",
]
