"""Algorithms on graphs whose networks exchange messages: flooding, searches, shortest paths."""
