"""How often passwords may be tried: by account and network, by network, and by account.

- An *account from a network* (an IPv4 address, or the /64 of an IPv6 one) has three tries; then each wrong
  one doubles the wait, up to five minutes. So a right password works again after a short wait.
- A *network* has a hundred wrong tries for whatever accounts, and one more every five seconds: a class behind
  one address mistypes, somebody who tries one password with every name is slow.
- An *account* has fifty wrong tries from all networks together, and one more every ten seconds. Where they
  are used up, each network that asks gets a turn of its own: however often others try, whoever comes back
  when they were told is let try. A network from which the person logged in before does not count, and needs
  no turn.

Pure: whoever calls says what time it is, in seconds of a clock that does not go back.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clusterhub.languages.text import Text, counted

FREE_TRIES = 3
FIRST_WAIT = 2.0
LONGEST_WAIT = 300.0
FORGOTTEN = 3600.0
"""Seconds without a try after which an account from a network has its free tries again."""

NETWORK_TRIES, NETWORK_PACE = 100, 5.0
ACCOUNT_TRIES, ACCOUNT_PACE = 50, 10.0
"""Wrong tries at once, and seconds until there is one more."""

TURN_LASTS = 60.0
MOST_TURNS = 30
"""Networks that have a turn at one account at a time; later ones are told to come back for one."""

MOST = 20_000
"""Entries of each kind that are remembered, about 20 MiB in all; then the one not seen for longest goes."""

KNOWN_FOR = 30 * 86400.0

IPV6_PREFIX = 64

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Wait:
    """No try now: how long to wait, in seconds, and what was tried too often."""

    seconds: float
    what: str
    """``account`` or ``network``."""


class Remembered(OrderedDict[K, V], Generic[K, V]):
    """A dictionary that forgets what was not touched for longest."""

    def touch(self, key: K, value: V) -> V:
        """Keeps the value."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > MOST:
            self.popitem(last=False)
        return value


@dataclass
class Pair:
    """One account from one network."""

    wrong: int = 0
    last: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try."""
        if self.wrong < FREE_TRIES or now - self.last > FORGOTTEN:
            return 0.0
        pause = min(FIRST_WAIT * 2.0 ** min(self.wrong - FREE_TRIES, 30), LONGEST_WAIT)
        return max(0.0, self.last + pause - now)


@dataclass
class Allowance:
    """A number of tries that fills up again, as one moment: when it will be full."""

    tries: int
    pace: float
    full_at: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there is a try."""
        return max(0.0, self.full_at - (self.tries - 1) * self.pace - now)

    def take(self, now: float) -> None:
        """One try is used up."""
        self.full_at = max(self.full_at, now) + self.pace


@dataclass
class AccountAllowance:
    """That of an account from all networks, and who waits for a try."""

    allowance: Allowance = field(default_factory=lambda: Allowance(ACCOUNT_TRIES, ACCOUNT_PACE))
    turns: dict[str, float] = field(default_factory=dict)
    """When each network has its turn."""

    def wait(self, network: str, now: float) -> float:
        """Seconds until this network may try; it gets a turn where it has none."""
        self.turns = {each: turn for each, turn in self.turns.items() if turn + TURN_LASTS > now}
        if network in self.turns:
            return max(0.0, self.turns[network] - now)
        wait = self.allowance.wait(now)
        if wait == 0 and not self.turns:
            return 0.0
        turn = max([now + wait, *(turn + ACCOUNT_PACE for turn in self.turns.values())])
        if len(self.turns) < MOST_TURNS:
            self.turns[network] = turn
        return turn - now

    def take(self, network: str, now: float) -> None:
        """This network's try was wrong."""
        self.allowance.take(now)
        self.turns.pop(network, None)


class LoginLimits:
    """What was tried lately. A hub that is restarted has forgotten it."""

    def __init__(self) -> None:
        self._pairs: Remembered[tuple[str, str], Pair] = Remembered()
        self._networks: Remembered[str, Allowance] = Remembered()
        self._accounts: Remembered[str, AccountAllowance] = Remembered()
        self._known: Remembered[tuple[str, str], float] = Remembered()

    def begin(self, name: str, address: str, now: float) -> Wait | None:
        """None where this try may be made now; whoever makes it says afterwards if it was right or wrong."""
        account, network = name.casefold(), network_of(address)
        pair = self._pairs.get((account, network))
        if pair is not None and (wait := pair.wait(now)) > 0:
            return Wait(wait, "account")
        if now - self._known.get((account, network), -KNOWN_FOR) >= KNOWN_FOR:
            allowance = self._networks.get(network)
            if allowance is not None and (wait := allowance.wait(now)) > 0:
                return Wait(wait, "network")
            everywhere = self._accounts.get(account)
            if everywhere is not None and (wait := everywhere.wait(network, now)) > 0:
                return Wait(wait, "account")
        return None

    def right(self, name: str, address: str, now: float) -> None:
        """It was the password: all wrong ones of that account from there are forgiven."""
        account, network = name.casefold(), network_of(address)
        self._pairs.pop((account, network), None)
        self._known.touch((account, network), now)

    def wrong(self, name: str, address: str, now: float) -> None:
        """It was not."""
        account, network = name.casefold(), network_of(address)
        pair = self._pairs.touch((account, network), self._pairs.get((account, network)) or Pair())
        pair.wrong = pair.wrong + 1 if now - pair.last <= FORGOTTEN else 1
        pair.last = now
        allowance = self._networks.get(network) or Allowance(NETWORK_TRIES, NETWORK_PACE)
        self._networks.touch(network, allowance).take(now)
        if (account, network) not in self._known:
            everywhere = self._accounts.get(account) or AccountAllowance()
            self._accounts.touch(account, everywhere).take(network, now)


def network_of(address: str) -> str:
    """What one person can be taken to have: an IPv4 address, or 2**64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if found.version == 4:  # noqa: PLR2004 - IP's version
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))


def in_words(seconds: float) -> Text:
    """A wait as a person says it, never too short."""
    whole = int(seconds) + 1
    if whole < 60:  # noqa: PLR2004 - a minute
        return counted("{count} second", "{count} seconds", whole)
    minutes = -(-whole // 60)
    return counted("{count} minute", "{count} minutes", minutes)
