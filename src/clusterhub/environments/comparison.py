"""`clusterhub environment diff`: what another version has that one has not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clusterhub.environments.curated import name_of
from clusterhub.environments.manifest import Manifest, Package


@dataclass(frozen=True)
class Change:
    """One package that differs; empty versions where it is not there."""

    kernel: str
    """In whose environment; empty for the server's."""
    name: str
    before: str
    after: str

    def as_text(self) -> str:
        """The change as a line."""
        package = f"{self.name} (kernel {self.kernel})" if self.kernel else self.name
        if not self.before:
            return f"+ {package} {self.after}"
        if not self.after:
            return f"- {package} {self.before}"
        return f"~ {package} {self.before} -> {self.after}"


def changes(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Everything that differs: Python first, then packages by name, then those of kernels."""
    if before.python != after.python:
        yield Change("", "Python", before.python, after.python)
    yield from _packages("", before.packages, after.packages)
    for kernel in sorted({*before.kernels, *after.kernels}):
        yield from _packages(kernel, before.kernels.get(kernel, ()), after.kernels.get(kernel, ()))


def _packages(kernel: str, before: Iterable[Package], after: Iterable[Package]) -> Iterator[Change]:
    old = {name_of(each.name): each for each in before}
    new = {name_of(each.name): each for each in after}
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was is None or now is None or was.version != now.version:
            yield Change(kernel, name, was.version if was else "", now.version if now else "")
