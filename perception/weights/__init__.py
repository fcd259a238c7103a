"""Networks that come with Tiepoint, as ONNX files; ``docs/models.md`` tells how each was trained and how good it is."""
