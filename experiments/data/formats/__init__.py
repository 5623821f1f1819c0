"""Public formats of data sets, each read into the same types; nothing of a file is ever executed."""
