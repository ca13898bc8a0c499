"""From a site to a running JupyterHub."""
