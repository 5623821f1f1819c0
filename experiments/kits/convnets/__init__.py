"""Convolutional networks: layers, folding, training, generated pictures, and what a network costs."""
