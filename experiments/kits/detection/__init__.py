"""Detection: boxes and masks, generated scenes, a small detector, its training, and its precision."""
