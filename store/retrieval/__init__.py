"""Search: queries, candidates, ranking, and how well a hit matches."""
