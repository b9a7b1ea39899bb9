"""The run: threads, what is known, what is written."""
