"""Every setting that sessions have by themselves stands in the reference, with its reason.

Fails for each that is added to `shared_files.defaults` and not to the page.
"""

from tests.docs.markdown import ROOT

from clusterhub.session.shared_files import defaults

PAGE = ROOT / "docs" / "reference" / "session-settings.md"


def test_every_setting_is_on_the_page() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    for name, traits in defaults("/run", sqlite_in_home=False).items():
        for trait in traits:
            assert any(f"`{name}.{trait}`" in row.split("|")[1] for row in rows), f"{name}.{trait}"
