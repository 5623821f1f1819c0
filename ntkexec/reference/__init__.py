"""What each program must compute, in plain Python and networkx, independent of templates."""
