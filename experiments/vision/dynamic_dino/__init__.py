"""Dynamic-DINO: dense feed-forward layers upcycled to a fine-grained mixture of experts that begins as them."""
