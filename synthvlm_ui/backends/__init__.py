"""The engines behind the plug points: one file per engine, found by name through the registry.

Importing this package imports no engine; the registry opens one when it is asked for by name.
"""
