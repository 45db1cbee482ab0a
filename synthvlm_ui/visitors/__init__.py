"""Visitors of a public demo: a copy of the owner's workspace for everyone who changes something, within limits.

Stands between the page and the service: it opens and closes studios. Knows no server, no cookie and no page.
"""

from synthvlm_ui.visitors.limits import Limits, Used
from synthvlm_ui.visitors.lobby import Lobby
from synthvlm_ui.visitors.naming import check_named

__all__ = ["Limits", "Lobby", "Used", "check_named"]
