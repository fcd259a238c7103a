"""Which pieces of tracks show one object, across cameras, gaps and second thoughts."""
