"""The service: the one door through which the browser and the command line reach the rooms."""

from synthvlm_ui.service.accounts import Accounts, add_account
from synthvlm_ui.service.captions.hub_desk import HubImport
from synthvlm_ui.service.captions.writing_desk import WritingSettings
from synthvlm_ui.service.curation.view_state import Find, ViewState, find_of, state_of, typed_rule
from synthvlm_ui.service.generation.matrix_desk import parse_axis
from synthvlm_ui.service.generation.placement import Placement
from synthvlm_ui.service.studio import Studio

__all__ = ["Accounts", "Find", "HubImport", "Placement", "Studio", "ViewState", "WritingSettings", "add_account",
           "find_of", "parse_axis", "state_of", "typed_rule"]
