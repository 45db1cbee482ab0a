"""The papers' claims run again: the desk and the job around the findings room."""
