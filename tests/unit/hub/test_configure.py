"""The JupyterHub configuration that results, with the origin of each value."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from jupyterhub.app import JupyterHub
from tests.unit.site.examples import small_site

from clusterhub.errors import ClusterhubError
from clusterhub.hub.configure import Setting, as_url_host, masked, proxy_socket, resolve
from clusterhub.site.loading import load
from clusterhub.site.schema import Site

TIMES = '[sessions]\nqueue_timeout = "1h"\nstart_timeout = "5min"\n'


def site_in(state: Path) -> str:
    return small_site(hub=f'state_directory = "{state}"', tables=TIMES)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    path = tmp_path / "site.toml"
    path.write_text(site_in(tmp_path / "state"))
    return load(path)


def found(site: Site) -> dict[str, Setting]:
    return {f"{each.section}.{each.name}": each for each in resolve(site)}


def drop_in(site: Site, name: str, text: str) -> Path:
    directory = site.path.parent / "conf.d"
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    return directory / name


def test_the_site_decides_and_each_value_names_its_key(site: Site) -> None:
    settings = found(site)
    assert settings["JupyterHub.bind_url"].value == "http://127.0.0.1:8000/"
    assert settings["JupyterHub.bind_url"].origin == f"{site.path}: [hub] bind"
    assert settings["Spawner.start_timeout"].value > 3600 + 300
    assert settings["JupyterHub.cleanup_servers"].value is False


@pytest.mark.parametrize(
    ("hub", "trusted"),
    [
        ('url = "http://127.0.0.1:8000"', True),
        ('url = "http://[::1]:8000"', True),
        ('url = "https://hub.example.org"', True),  # behind a front server on this machine
        ('url = "https://hub.example.org"\nbind = "http://:8000"', False),
        ('url = "http://hub.example.org"', False),
    ],
)
def test_a_front_server_on_this_machine_is_trusted_to_say_who_asks(
    site: Site, hub: str, trusted: bool
) -> None:
    site.path.write_text(site.path.read_text().replace('url = "http://127.0.0.1:8000"', hub))
    settings = found(load(site.path))
    assert ("JupyterHub.trusted_downstream_ips" in settings) is trusted
    if trusted:
        trait = JupyterHub.class_traits()["trusted_downstream_ips"]
        value = settings["JupyterHub.trusted_downstream_ips"].value
        assert trait.validate(JupyterHub(), value) == ["127.0.0.1", "::1"]


def test_drop_ins_have_the_last_word_in_the_order_of_their_names(site: Site) -> None:
    drop_in(site, "10-first.py", "c.Spawner.http_timeout = 10\nc.JupyterHub.admin_access = True\n")
    last = drop_in(site, "20-last.py", "c.Spawner.http_timeout = c.Spawner.http_timeout + 1\n")
    drop_in(site, "notes.txt", "not Python")
    settings = found(site)
    assert settings["Spawner.http_timeout"].value == 11
    assert settings["Spawner.http_timeout"].origin == str(last)
    assert settings["JupyterHub.admin_access"].value is True


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("c.Spawner.http_timeout = 10\nc.Spawner. = 3\n", "line 2", "not Python"),
        ("\n\nimport no_such_module_here\n", "line 3", "No module named"),
        ("1 / 0\n", "line 1", "ZeroDivisionError"),
    ],
)
def test_a_drop_in_that_cannot_be_run_is_named_with_its_line(
    site: Site, text: str, line: str, said: str
) -> None:
    path = drop_in(site, "10-wrong.py", text)
    with pytest.raises(ClusterhubError) as refused:
        resolve(site)
    assert str(path) in str(refused.value)
    assert line in str(refused.value)
    assert said in str(refused.value)


def test_secrets_are_masked(site: Site) -> None:
    drop_in(site, "10-secret.py", "c.ConfigurableHTTPProxy.auth_token = 'hidden'\n")
    shown = masked(resolve(site))
    assert "hidden" not in repr(shown)
    assert any(each["setting"] == "c.ConfigurableHTTPProxy.auth_token" for each in shown)


def test_secrets_inside_of_values_are_masked_and_the_rest_is_shown(site: Site) -> None:
    drop_in(
        site,
        "10-secret.py",
        'c.JupyterHub.services = [{"name": "a", "api_token": "hidden", "environment": {"A_KEY": "hidden"}}]\n'
        'c.JupyterHub.db_url = "postgresql://hub:hid/d@n@db.example.org/hub"\n'
        'c.JupyterHub.load_roles = [{"urls": ("http://:hidden@a", "http://127.0.0.1:8000/user/x")}]\n',
    )
    drop_in(site, "20-more.py", 'c.Spawner.args.append({"password": "hidden", "name": "b"})\n')
    shown = {each["setting"]: each["value"] for each in masked(resolve(site))}
    assert "hidden" not in repr(shown)
    assert "'name': 'b'" in repr(shown["c.Spawner.args"])
    assert shown["c.JupyterHub.services"] == [
        {"name": "a", "api_token": "********", "environment": {"A_KEY": "********"}}
    ]
    assert shown["c.JupyterHub.db_url"] == "postgresql://hub:********@db.example.org/hub"
    assert shown["c.JupyterHub.load_roles"] == [
        {"urls": ["http://:********@a", "http://127.0.0.1:8000/user/x"]}
    ]


def test_a_state_directory_that_is_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_in(tmp_path / ("deep" * 30)))
    with pytest.raises(ClusterhubError, match="too long for a socket"):
        proxy_socket(load(path))


@pytest.mark.parametrize("path", ["/var/lib/clusterhub/proxy.sock", "/home/Ada Ünal/Site-1/a%41b/proxy.sock"])
def test_a_sockets_path_is_read_back_from_a_url_as_it_was(path: str) -> None:
    url = urlsplit(f"http+unix://{as_url_host(Path(path))}/api")
    assert unquote(url.hostname or "") == path
