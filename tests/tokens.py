"""Tokens by which people's programs know the hub's REST API."""

from __future__ import annotations

from urllib.parse import quote

from clusterhub.hub.walkthrough import Walk


async def own_token(walk: Walk) -> str:
    """A token of the person's own, with all their rights."""
    url = f"{walk.url}/hub/api/users/{quote(walk.person)}/tokens"
    async with walk.http.post(url, json={"note": "test"}, headers=walk.headers()) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["token"])
