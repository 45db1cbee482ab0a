"""Findings: the claims of Synth2 and SynthVLM run again in the small world, under control.

The generator and the front have seen world-real only; models are judged on compositions that nothing has shown them.
Opening this door imports no torch: ``laboratory`` does.
"""

from synthvlm_ui.findings.plan import FULL, QUICK, Plan
from synthvlm_ui.findings.table import shipped, table, tasks_of
from synthvlm_ui.findings.tasks import Results
from synthvlm_ui.findings.weights import weights_key

__all__ = ["FULL", "QUICK", "Plan", "Results", "shipped", "table", "tasks_of", "weights_key"]
