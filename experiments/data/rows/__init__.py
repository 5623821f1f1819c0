"""Rows of the catalogue, a module for each kind of data."""
