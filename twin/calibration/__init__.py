"""Fixed cameras: their pose and lens from their own pictures, and whether these still hold; start at ``calibrate``."""
