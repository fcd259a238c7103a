"""Scripts that train the networks of ``perception/weights``; nothing imports them. See ``docs/models.md``."""
