"""Folders as labels: suggestions, checks, and moving files."""
