"""The networks of the small world, from token grids to language: built and loaded by name of their module.

Knows no room, no recipe and no workspace. Importing this package imports no torch; its modules do.
"""
