"""What a cell runs to know the token of its session, which is in no variable of a kernel."""

READ_TOKEN = """\
import glob, json, os
[_file] = glob.glob(os.environ["JUPYTER_RUNTIME_DIR"] + "/jpserver-*.json")
token = json.load(open(_file))["token"]
"""
"""Afterwards the token is in the variable ``token``."""
