"""Finding vehicles and people in pictures: networks in ONNX files, background subtraction, tiles for wide views."""
