"""Sets of graphs: batches and training on whole graphs; colours, families and exact counts."""
