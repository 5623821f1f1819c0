"""The machine: compilation, precision, devices, files, memory, and what is being done."""
