"""What vehicles and people look like: vectors, kinds and colours of crops, and what their likeness is worth."""
