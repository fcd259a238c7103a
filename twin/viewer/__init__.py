"""Looking at a twin in three dimensions: a window where there is a display, a picture where there is none."""

from twin.viewer.contents import Contents, contents_of
from twin.viewer.picture import render
from twin.viewer.viewpoint import Viewpoint, overview, through

__all__ = ["Contents", "Viewpoint", "contents_of", "overview", "render", "through"]
