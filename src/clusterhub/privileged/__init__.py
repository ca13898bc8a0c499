"""Everything that is done as a person goes through here."""
