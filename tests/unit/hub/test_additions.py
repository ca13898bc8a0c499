"""What clusterhub adds to JupyterHub's settings leaves there what the operator's drop-ins say."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from clusterhub.hub.additions import add_to_list, add_to_table, set_unless_said
from clusterhub.hub.configure import Setting, as_config


def configured(drop_in: str) -> Config:
    """The configuration that a drop-in makes, as it reaches JupyterHub's file: by way of `as_config`."""
    said = Config()
    exec(drop_in, {"c": said})  # noqa: S102 - what a drop-in is
    settings = [
        Setting(section, name, value, "x.py")
        for section, values in said.items()
        for name, value in values.items()
    ]
    config = Config()
    config.merge(as_config(settings))
    return config


@pytest.mark.parametrize(
    ("drop_in", "before"),
    [
        ("", []),
        ("c.JupyterHub.services = [1, 2]", [1, 2]),
        ("c.JupyterHub.services.append(1)", [1]),
        ("c.JupyterHub.services.extend([1, 2])", [1, 2]),
        ("c.JupyterHub.services", []),
    ],
)
def test_a_list_keeps_what_a_drop_in_set_or_appended(drop_in: str, before: list[int]) -> None:
    config = configured(drop_in)
    add_to_list(config, "JupyterHub", "services", [9])
    assert config.JupyterHub.services == [*before, 9]


@pytest.mark.parametrize(
    ("drop_in", "before"),
    [
        ("", {}),
        ("c.JupyterHub.template_vars = {'a': 1}", {"a": 1}),
        ("c.JupyterHub.template_vars.update({'a': 1})", {"a": 1}),
        ("c.JupyterHub.template_vars", {}),
    ],
)
def test_a_table_keeps_what_a_drop_in_set_or_updated(drop_in: str, before: dict[str, int]) -> None:
    config = configured(drop_in)
    add_to_table(config, "JupyterHub", "template_vars", {"ours": 9})
    assert config.JupyterHub.template_vars == {**before, "ours": 9}


@pytest.mark.parametrize("section", ["ClusterSpawner", "Spawner"])
def test_a_drop_in_has_the_last_word_over_the_form(section: str) -> None:
    config = configured(f"c.{section}.options_form = 'theirs'")
    set_unless_said(config, "ClusterSpawner", "options_form", "ours", also="Spawner")
    set_unless_said(config, "ClusterSpawner", "options_from_form", "ours", also="Spawner")
    assert config[section].options_form == "theirs"
    assert section == "ClusterSpawner" or "options_form" not in config.ClusterSpawner
    assert config.ClusterSpawner.options_from_form == "ours"


def test_a_form_that_a_drop_in_only_looked_at_is_ours() -> None:
    config = configured("print(c.ClusterSpawner.options_form)")
    set_unless_said(config, "ClusterSpawner", "options_form", "ours", also="Spawner")
    assert config.ClusterSpawner.options_form == "ours"
