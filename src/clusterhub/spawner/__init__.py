"""From a person's choice to a proved endpoint."""
