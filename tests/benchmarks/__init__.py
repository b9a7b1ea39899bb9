"""Benchmarks: each prints a table and writes JSON; none is run by the tests."""
