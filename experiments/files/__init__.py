"""Files of strangers read or refused, files of ours written atomically with a digest."""
