"""Connections to PostgreSQL that give up where the server does not answer.

JupyterHub waits for its database on the hub's loop. A server that is stopped, or cut off, must not stop the
hub: no setting of libpq bounds the wait for an answer by a server whose machine is alive.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine

T = TypeVar("T")

ANSWER_SECONDS = 5.0
"""Within which a statement is answered: the hub's own take milliseconds."""

CONNECT_SECONDS = 3
"""Within which a connection is made (PostgreSQL's ``connect_timeout``), unless the URL says otherwise."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed, with an error, when an answer takes too long."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Consumes psycopg's generator. Raises psycopg.OperationalError."""
        try:
            return super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()  # the answer may come yet, and must not be taken for another one
            raise psycopg.OperationalError(
                f"the server did not answer within {ANSWER_SECONDS:.0f} s"
            ) from None


def connect_bounded(engine: Engine | type[Engine]) -> None:
    """Makes the connections that the engine, or any, makes by psycopg from now on of this kind."""

    @event.listens_for(engine, "do_connect")
    def connect(
        dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> BoundedConnection | None:
        if dialect.driver != "psycopg":
            return None
        options.setdefault("connect_timeout", CONNECT_SECONDS)
        return BoundedConnection.connect(*arguments, **options)
