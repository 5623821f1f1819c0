"""Statements of the theory, a module for each family."""
