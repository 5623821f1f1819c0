"""What a node does, as data: layouts, templates, programs, learning problems."""
