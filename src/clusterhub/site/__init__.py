"""What the operator says: site.toml, read and checked."""
