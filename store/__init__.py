"""The local vector store: one LanceDB table of videos, searched, exported and kept in shape."""
