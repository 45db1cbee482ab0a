"""The service: the one door through which the browser and the command line reach the rooms."""

from synthvlm_ui.service.studio import Studio

__all__ = ["Studio"]
