"""The browser app: ``run`` reads the settings, builds the page and serves it until it is interrupted.

Tabs, routes and scripts know the service and nothing below it.
"""

from synthvlm_ui.ui.launch import run

__all__ = ["run"]
