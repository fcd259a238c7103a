"""Where vectors and their rows are kept: one seam, an engine in a folder, and engines on servers."""
