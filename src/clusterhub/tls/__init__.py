"""The certificates by which hub, proxy and sessions know each other, and the names that stand in them."""
