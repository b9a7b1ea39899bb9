"""Questions of a person to one store, and their answers."""
