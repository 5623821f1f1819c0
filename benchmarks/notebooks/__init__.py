"""The notebooks: their first cells are written, they are executed, and their outputs are stored with them."""
