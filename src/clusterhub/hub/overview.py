"""Everybody's sessions in one table, for operators: what the hub saw last, so the scheduler is not asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import Session, joinedload

from clusterhub.hub.home import HEADINGS, Card, card_of
from clusterhub.hub.sessions import state_of
from clusterhub.languages.text import _, joined, told
from clusterhub.site.quantities import format_duration
from clusterhub.site.schema import Site

FRESH = 2.0
"""Seconds for which all operators are shown the same."""

COLUMNS: Mapping[str, str] = {
    "person": _("Person"),
    "state": _("State"),
    "where": _("Where"),
    "since": _("Since"),
    "resources": _("Resources"),
    "memory": _("Memory"),
    "cpu": _("CPU"),
    "idle": _("Idle"),
}
"""What the table can be sorted by, and its heads."""

LONGEST_FILTER = 100
"""Characters."""


@dataclass(frozen=True)
class Row:
    """One session. Times are seconds since the epoch."""

    person: str
    card: Card
    last_activity: float | None
    now: float

    @property
    def idle(self) -> float | None:
        """Seconds since somebody used it; None where nobody has yet."""
        return None if self.last_activity is None else max(0.0, self.now - self.last_activity)

    @property
    def where(self) -> str:
        """Node, cluster and partition, as far as they are known."""
        card = self.card
        return " · ".join(each for each in (", ".join(card.nodes), card.cluster, card.partition) if each)

    def words(self) -> dict[str, str]:
        """What each cell says; where a time stands, nothing."""
        card = self.card
        return {
            "person": f"{self.person} ({card.title})" if card.server else self.person,
            "state": card.heading,
            "where": self.where,
            "since": "",
            "resources": joined([each for each in (card.profile, *card.resources) if each], " · "),
            "memory": card.memory.words if card.memory else "",
            "cpu": card.cpu.words if card.cpu else "",
            "idle": "" if self.idle is None else format_duration(60 * int(self.idle / 60)),
        }

    def keys(self) -> dict[str, str | float | None]:
        """What each column sorts by; None comes last."""
        card = self.card
        return {
            "person": f"{self.person}/{card.server}",
            "state": list(HEADINGS).index(card.state),
            "where": self.where,
            "since": card.started_at,
            "resources": card.profile,
            "memory": card.memory.value if card.memory else None,
            "cpu": card.cpu.value if card.cpu else None,
            "idle": self.idle,
        }

    def as_json(self) -> dict[str, Any]:
        """The session as the table's endpoint tells it, in the reader's language."""
        return {
            "person": self.person,
            "server": self.card.server,
            "job": self.card.job or None,
            "state": self.card.state,
            "words": {name: told(words) for name, words in self.words().items()},
            "keys": self.keys(),
        }


class Overview:
    """The rows, made anew when somebody asks and the last ones are not fresh any more."""

    def __init__(self, site: Site, clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._clock = clock
        self._rows: tuple[Row, ...] = ()
        self._made_at = float("-inf")

    def __deepcopy__(self, memo: object) -> Overview:
        """Itself: traitlets copies what it is configured with, and of this there is one."""
        return self

    def rows(self, db: Session, users: Iterable[Any]) -> tuple[Row, ...]:
        """All sessions that run or are on their way; ``users`` are JupyterHub's."""
        now = self._clock()
        if now - self._made_at >= FRESH:
            self._rows = tuple(self._look(last_activities(db), users, now))
            self._made_at = now
        return self._rows

    def _look(
        self, last: Mapping[tuple[str, str], float | None], users: Iterable[Any], now: float
    ) -> Iterator[Row]:
        for user in users:
            for spawner in list(user.spawners.values()):
                if spawner.active:
                    card = card_of(self._site, spawner, state_of(user, spawner.name))
                    yield Row(user.name, card, last.get((user.name, spawner.name)), now)


def last_activities(db: Session) -> Mapping[tuple[str, str], float | None]:
    """When each server that runs was last used, by person and name.

    One query reads all that the rows need; else the database would be asked for each of them.
    """
    running = (
        db.query(orm.Spawner)
        .options(joinedload(orm.Spawner.user), joinedload(orm.Spawner.server))
        .filter(orm.Spawner.server_id.is_not(None))
    )
    return {(each.user.name, each.name): _seconds(each.last_activity) for each in running}


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


def sorted_by(rows: Iterable[Row], order: str) -> list[Row]:
    """The rows by a column's name, with "-" before it the other way round; by person for any other word."""
    name = order.removeprefix("-")
    name = name if name in COLUMNS else "person"
    by_person = sorted(rows, key=lambda row: (row.person, row.card.server))
    known = [row for row in by_person if row.keys()[name] is not None]
    unknown = [row for row in by_person if row.keys()[name] is None]

    def key(row: Row) -> Any:
        return row.keys()[name]

    return [*sorted(known, key=key, reverse=order.startswith("-")), *unknown]


def showing(rows: Iterable[Row], words: str) -> list[Row]:
    """Those rows in which each of the words stands somewhere, in the reader's language."""
    wanted = words[:LONGEST_FILTER].casefold().split()

    def text(row: Row) -> str:
        cells = (told(each) for each in row.words().values())
        return " ".join([*cells, row.card.job, row.card.server]).casefold()

    return [row for row in rows if all(each in text(row) for each in wanted)]
