"""Graphs of several types: relations as operators, paths of relations, drawn sets, baselines."""
