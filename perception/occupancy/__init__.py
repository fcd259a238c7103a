"""Is a stall taken: one look at it through a calibrated camera, by a small network."""
