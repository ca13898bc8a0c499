"""What opens for each interface. It fails where a table of the site's does not count for more than ours."""

from __future__ import annotations

from clusterhub.site.schema import App, Site
from clusterhub.spawner.interfaces import interface_of, titles


def test_what_jupyter_has_opens_at_jupyters_own_pages(site: Site) -> None:
    assert [interface_of(site, name).default_url for name in ("lab", "notebook")] == ["/lab", "/tree"]


def test_an_application_that_packages_announce_is_looked_for_in_the_environment(site: Site) -> None:
    rstudio = interface_of(site, "rstudio")
    assert (rstudio.title, rstudio.default_url, rstudio.app) == ("RStudio", "/rstudio/", "rstudio")


def test_an_application_of_the_sites_own_opens_where_the_site_says(site: Site) -> None:
    apps = {"matlab": App(title="MATLAB"), "rstudio": App(title="RStudio 4.4", path="/r/")}
    own = site.model_copy(update={"apps": apps})
    found = [interface_of(own, name) for name in apps]
    assert [(each.title, each.default_url, each.app) for each in found] == [
        ("MATLAB", "/matlab/", ""),
        ("RStudio 4.4", "/r/", ""),
    ]
    assert titles(apps)["rstudio"] == "RStudio 4.4"
    assert titles({})["desktop"] == "Remote desktop"
