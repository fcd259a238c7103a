"""Maps by nothing but the order of the photos."""
