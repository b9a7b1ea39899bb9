"""A person's question to a search of the store."""
