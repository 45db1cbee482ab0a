"""The workspace's files, one module per kind: written whole or not at all, read back checked. They know no column."""
