"""The journal: verdicts, acts and their undoing, and which row is which candidate, in one SQLite file."""
