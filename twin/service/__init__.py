"""The HTTP service: where a photo was taken, what is going on, and frames in; ``app.create_app`` builds it."""
