"""A first success on any machine: a drawn collection, small models, and a tour of what they do."""
