"""The browser app: settings, then the studio, then the page, then a server on this machine."""

from synthvlm_ui.ui import run

if __name__ == "__main__":
    raise SystemExit(run())
