"""Graph files of every format, read as arrays of edges."""
