"""All rows of one recipe as arrays: neighbours and duplicates."""
