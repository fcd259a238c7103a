"""Files for other tools: COLMAP, GLB, USD, GeoJSON and nerfstudio, each in the frame and axes its readers expect."""

from twin.export.formats import FORMATS, ExportOptions, export_twin

__all__ = ["FORMATS", "ExportOptions", "export_twin"]
