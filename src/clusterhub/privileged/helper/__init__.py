"""The one program of clusterhub that acts as other people: one JSON request in, one JSON reply out.

It is installed root-owned and run by sudo, or run by a hub that is root itself, or, without root, acts for
its own account only. It trusts nothing that it reads but its configuration: the verbs are closed, every
argument is checked here against a schema, and no path comes from the caller. The schedulers' programs run as
the person, with privileges dropped for good. Standard library only, Python 3.9 and newer. It always runs from
one archive (see `clusterhub.privileged.archive`): it depends on nothing that another account may write.
"""
