"""Objects tracked on the ground from boxes, in one camera or in all cameras that see them at once."""
