"""Video in: files, folders of pictures and network cameras, each frame with the time of its exposure."""

from twin.video.detecting import detect_videos
from twin.video.sources import Frame, Source, SourceOptions, open_source, parse_videos
from twin.video.watch import DetectionOptions

__all__ = ["DetectionOptions", "Frame", "Source", "SourceOptions", "detect_videos", "open_source", "parse_videos"]
