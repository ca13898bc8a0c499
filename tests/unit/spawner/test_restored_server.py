"""Where a session is after a restart of the hub. It fails when only host and port are taken over."""

from jupyterhub import orm

from clusterhub.spawner.restored_server import RestoredServer


def test_the_address_is_the_endpoints_where_the_hub_was_stopped_before_it_was_noted() -> None:
    kept = orm.Server(base_url="/user/alice/", cookie_name="cookie", proto="http", ip="gateway", port=53863)

    server = RestoredServer.at("https://run.127-0-0-1.session.clusterhub.alt:44165", kept)

    assert server.url == "https://run.127-0-0-1.session.clusterhub.alt:44165/user/alice/"
    assert (kept.proto, kept.ip, kept.port) == ("https", "run.127-0-0-1.session.clusterhub.alt", 44165)
    assert kept.base_url == "/user/alice/"
