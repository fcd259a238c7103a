"""The live engine: frames in, tracks and events out, and all of its state in a database that survives a crash."""
