"""Every action of the app without a browser: parse, call the Studio, print.

Knows argparse and the Studio's actions; knows no room, no model and no file format. Importing it imports neither
torch nor gradio nor pandas, so that a listing answers at once.
"""

from synthvlm_ui.cli.main import main
from synthvlm_ui.cli.parser import build_parser

__all__ = ["build_parser", "main"]
