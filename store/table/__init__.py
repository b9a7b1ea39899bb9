"""The LanceDB tables: rows in, rows out, indexes, upkeep and the writer's lock."""
