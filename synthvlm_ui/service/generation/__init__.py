"""Drawing candidates: what a run is asked for, its plan, where it runs, and what can be seen of it meanwhile."""
