"""Everything of a workspace as numpy columns over ordinals, kept up to date from files and journal."""
