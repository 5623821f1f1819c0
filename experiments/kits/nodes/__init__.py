"""Sets of nodes: drawn graphs with labels, splits, and training on some of a graph's nodes."""
