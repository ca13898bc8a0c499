"""What the start page asks while somebody chooses: what is free now, and when their choice would start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from clusterhub.errors import ClusterhubError
from clusterhub.hub.form import free_html
from clusterhub.hub.relaunch import fields_of
from clusterhub.languages.text import _, joined, told
from clusterhub.privileged.broker import Account, BrokerError
from clusterhub.schedulers.model import JobRequest, SchedulerError, SubmitRefused
from clusterhub.site.quantities import format_duration
from clusterhub.site.schema import Profile
from clusterhub.spawner.alternatives import Alternative, fitting, nearby
from clusterhub.spawner.clusters import ACCOUNT_AGE, SETTING, Clusters
from clusterhub.spawner.estimates import AskedEnough
from clusterhub.spawner.free_now import free_now
from clusterhub.spawner.job_request import job_request
from clusterhub.spawner.knowledge import Known, known_of
from clusterhub.spawner.offers import Terms
from clusterhub.spawner.options import AMOUNTS, Choice, ChoiceRefused, parse_choice, terms_for
from clusterhub.spawner.waiting import when

NOW = 60.0
"""Seconds: what starts so soon starts now, for a person."""
WORTH = 300.0
"""Seconds by which an alternative has to start earlier to be told."""
MAX_BODY = 65536
HOUR, DAY = 3600, 86400


class AsPerson(APIHandler):
    """Of requests about somebody's starts, by that person or an admin who may start for them."""

    @property
    def clusters(self) -> Clusters:
        """What the hub has at work."""
        clusters: Clusters = self.settings[SETTING]
        return clusters

    async def account_of(self, user_name: str) -> Account:
        """The person's account. Raises HTTPError."""
        if self.find_user(user_name) is None:
            raise HTTPError(404, "There is no such user.")
        try:
            return await self.clusters.broker.account(user_name, max_age=ACCOUNT_AGE)
        except BrokerError as error:
            self.log.error("Nothing is known of %s: %s", user_name, error)
            raise HTTPError(503, error.explanation.what.replace("%", "%%")) from None

    def answer(self, body: Mapping[str, Any]) -> None:
        """Sends it, to be kept by nobody."""
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(body))


class FreeHandler(AsPerson):
    """``GET /hub/api/clusterhub/free/{user}``: what is free for each profile that the person may use."""

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    async def get(self, user_name: str) -> None:
        """Answers ``{"profiles": {...}}``. All who look share one survey of a cluster in half a minute."""
        account = await self.account_of(user_name)
        site = self.clusters.site
        known = await known_of(self.clusters, site.clusters)
        profiles = [each.profile for each in terms_for(site, account.name, account.groups, known)]
        free = await free_now(self.clusters, profiles)
        free_of = {name: {**each.as_json(), "html": str(free_html(each))} for name, each in free.items()}
        self.answer({"profiles": free_of})


class EstimateHandler(AsPerson):
    """``POST /hub/api/clusterhub/estimate/{user}``: when such a session would start. Nothing is submitted."""

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # as above
    async def post(self, user_name: str) -> None:
        """The body is a choice, as for a start: ``{"profile": "gpu", "time": "2h"}``."""
        if len(self.request.body) > MAX_BODY:
            raise HTTPError(413, "A choice is a small JSON object.")
        try:
            given = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise HTTPError(400, "A choice is a JSON object.") from None
        account = await self.account_of(user_name)
        known = await known_of(self.clusters, self.clusters.site.clusters)
        self.answer(await Question(self.clusters, account, known).answer(given))


HANDLERS = [
    (r"/api/clusterhub/free/([^/]+)", FreeHandler),
    (r"/api/clusterhub/estimate/([^/]+)", EstimateHandler),
]


@dataclass(frozen=True)
class Question:
    """When a session of that person would start."""

    clusters: Clusters
    account: Account
    known: Mapping[str, Known]

    async def answer(self, given: object) -> dict[str, Any]:
        """As the REST API tells it; ``state`` says what it is."""
        try:
            choice = self._parse(given)
            starts = await self._starts_at(choice)
        except (ChoiceRefused, SubmitRefused) as error:
            words = joined(filter(None, (error.explanation.what, error.explanation.next)))
            return answer("refused", words, field=error.field)
        except AskedEnough as error:
            return answer("later", error.explanation.what, retry=error.seconds)
        except (SchedulerError, BrokerError) as error:
            return answer("unknown", error.explanation.what)
        now = time.time()
        if starts - now <= NOW:
            return answer("now", _("It would start now."), starts=starts)
        words = _("It would start {when}, in {time}.").format(
            when=when(starts, now), time=_about(starts - now)
        )
        return answer("waits", words, starts=starts, alternatives=await self._sooner(choice, starts))

    def _parse(self, given: object) -> Choice:
        return parse_choice(given, self.clusters.site, self.account.name, self.account.groups, self.known)

    def _request(self, choice: Choice) -> JobRequest:
        """What a start would submit. Nothing of an estimate hangs on ticket and certificate."""
        site = self.clusters.site
        profile = site.profile_named(choice.profile)
        tag = self.clusters.tag(self.account.name, "")
        return job_request(site, profile=profile, choice=choice, account=self.account, tag=tag, ticket={})

    async def _starts_at(self, choice: Choice) -> float:
        cluster = self.clusters.site.profile_named(choice.profile).cluster
        return await self.clusters.estimates.starts_at(cluster, self._request(choice))

    async def _sooner(self, choice: Choice, starts: float) -> list[dict[str, Any]]:
        """The alternatives that do start sooner, as the scheduler says of each."""
        site = self.clusters.site
        terms = terms_for(site, self.account.name, self.account.groups, self.known)
        surveys = {name: known.survey for name, known in self.known.items()}
        fits = fitting(surveys, self._request, lambda each: site.profile_named(each.profile).cluster)
        [chosen] = [each for each in terms if each.profile.name == choice.profile]
        others = list(self._presets([each for each in terms if each is not chosen]))
        partitions = (chosen.partitions() or ()) if chosen.offers("partition") else ()
        found = await asyncio.to_thread(nearby, choice, narrowed(chosen), others, fits, partitions)
        sooner = []
        for alternative in found:
            try:
                # By the same rules as a start: they are more than what was looked for above.
                at = await self._starts_at(self._parse(alternative.choice.as_options()))
            except ClusterhubError:
                continue  # it is an offer, which nobody asked for
            if starts - at >= WORTH:
                sooner.append((at, alternative))
        return [self._offer(at, each) for at, each in sooner]

    def _presets(self, terms: Sequence[Terms]) -> Iterator[tuple[Profile, Choice]]:
        for each in terms:
            with contextlib.suppress(ChoiceRefused):
                yield narrowed(each), self._parse({"profile": each.profile.name})

    def _offer(self, at: float, alternative: Alternative) -> dict[str, Any]:
        now = time.time()
        offer = _("Now with {what}") if at - now <= NOW else _("Earlier, {when}: {what}")
        choice = alternative.choice
        fields = fields_of(self.clusters.site, choice.as_options())
        changed = {f"{choice.profile}:{key}" for key in alternative.changed}
        return {
            "words": told(offer.format(when=when(at, now), what=alternative.words)),
            "starts": at,
            "fields": [[name, value] for name, value in fields if name == "profile" or name in changed],
        }


def narrowed(terms: Terms) -> Profile:
    """The profile with no wider limits than this person has."""
    mine = {key: limits for key in AMOUNTS if (limits := terms.widest(key)) is not None}
    return terms.profile.model_copy(update=mine)


def answer(
    state: str,
    words: str,
    *,
    field: str = "",
    starts: float | None = None,
    retry: float | None = None,
    alternatives: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The answer of `EstimateHandler`."""
    return {
        "state": state,
        "words": told(words),
        "field": field,
        "starts": starts,
        "retry": retry,
        "alternatives": list(alternatives),
    }


def _about(seconds: float) -> str:
    """A time to wait, not more exact than anybody can tell."""
    step = 60 if seconds < 2 * HOUR else 900 if seconds < DAY else HOUR
    return format_duration(max(step, round(seconds / step) * step))
