"""clusterhub: Jupyter as an interface to a computing cluster."""

__version__ = "0.1.0.dev0"
