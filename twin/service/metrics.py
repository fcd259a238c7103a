"""Figures for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The service's figures, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        new = self.registry
        self.requests = Counter("tiepoint_requests", "Requests", ["method", "route", "status"], registry=new)
        self.seconds = Histogram("tiepoint_request_seconds", "Time to answer", ["route"], buckets=SECONDS, registry=new)
        self.in_flight = Gauge("tiepoint_requests_in_flight", "Requests being served", registry=new)
        self.localizations = Counter("tiepoint_localizations", "Photos", ["twin", "status"], registry=new)
        self.waiting = Gauge("tiepoint_localize_waiting", "Photos that wait for a worker", registry=new)
        self.frames = Counter("tiepoint_frames", "Frames of detections", ["twin", "outcome"], registry=new)
        self.backlog = Gauge("tiepoint_backlog_frames", "Stored frames to be tracked", ["twin", "group"], registry=new)
        self.alive = Gauge("tiepoint_worker_alive", "Tracking processes that run", ["twin", "group"], registry=new)
        self.engine = Gauge("tiepoint_engine_total", "Done and dropped", ["twin", "group", "what"], registry=new)
        self.streams = Gauge("tiepoint_live_streams", "Live streams that are open", registry=new)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self.registry)
