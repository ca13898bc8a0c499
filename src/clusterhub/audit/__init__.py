"""Who did what, on whose behalf, and what came of it: the events, and the one place that writes them."""
