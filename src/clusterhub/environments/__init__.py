"""The environments that sessions run in: built, checked, activated, rolled back, removed."""
