"""The machine: settings of the process, compilation, precision, devices, files, memory, and what is done."""
