"""Which files there are, and what changes: listing and watching a folder."""
