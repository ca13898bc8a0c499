"""What a start does without is there again afterwards, and whoever needs it all the same gets it.

Remove the `finally` of `imports.absent`, or `retract`, and what was left out stays left out.
"""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from clusterhub.session import imports

SOURCE = Path(imports.__file__)


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """The code in a Python of its own, in which `imports` is what a session carries."""
    program = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("imports", {str(SOURCE)!r})
imports = importlib.util.module_from_spec(spec)
spec.loader.exec_module(imports)
{textwrap.dedent(code)}
"""
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )


def test_what_is_absent_can_be_imported_afterwards() -> None:
    name = "this"
    sys.modules.pop(name, None)
    with imports.absent(name), pytest.raises(ImportError):
        importlib.import_module(name)
    assert name not in sys.modules
    assert importlib.util.find_spec(name) is not None


def test_what_is_there_already_stays() -> None:
    with imports.absent("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert "json" in sys.modules


def test_a_module_that_was_deferred_is_imported_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("value = 7\nclass Taken: pass\n")
    done = fresh(f"""
        sys.path.insert(0, {str(tmp_path)!r})
        sys.modules["heavy"] = imports.Deferred("heavy", ("Taken",))
        import heavy
        from heavy import Taken
        assert isinstance(Taken, type) and "value" not in vars(heavy)
        assert heavy.value == 7
        import heavy as again
        assert again is not heavy and again.Taken is not Taken
    """)
    assert done.returncode == 0, done.stderr


def test_jupyterhub_comes_into_a_session_without_its_database_which_can_be_had_later() -> None:
    """Tells, too, when JupyterHub does not import it any more: then `imports.SERVER_SIDE` can go."""
    done = fresh("""
        with imports.absent(imports.GRAMMAR), imports.client_side_only():
            import jupyterhub.services.auth as auth
            asked = [name for name in imports.SERVER_SIDE if type(sys.modules[name]) is imports.Deferred]
            deferred = {name: sys.modules[name] for name in asked}
        assert "sqlalchemy" not in sys.modules and "jupyterhub.handlers.base" not in sys.modules
        assert auth.HubOAuth and auth._intersect_expanded_scopes({"self"}, {"self"}) == {"self"}
        import jupyterhub.utils, jupyterhub.scopes, jupyterhub.log
        assert jupyterhub.scopes.orm is deferred["jupyterhub.orm"]
        assert jupyterhub.scopes.orm.User.__tablename__ == "users"
        import sqlalchemy, sqlalchemy.exc
        assert issubclass(sqlalchemy.exc.SQLAlchemyError, Exception)
        assert not [each for each in sys.modules.values() if type(each) is imports.Deferred]
    """)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", imports.SERVER_SIDE)
def test_jupyterhub_still_imports_it_in_a_session(name: str) -> None:
    done = fresh(f"import jupyterhub.services.auth, jupyterhub.log; assert {name!r} in sys.modules")
    assert done.returncode == 0, f"{name} need not be deferred any more"


def test_the_grammar_is_still_imported_with_jupyters_events() -> None:
    done = fresh("import jupyter_events.logger; assert imports.GRAMMAR in sys.modules")
    assert done.returncode == 0, "it need not be absent any more"


def test_schemas_of_events_are_checked_without_the_grammar() -> None:
    done = fresh("""
        with imports.absent(imports.GRAMMAR):
            from jupyter_events import EventLogger
        logger = EventLogger()
        logger.register_event_schema({
            "$id": "https://example.org/event", "version": "1", "type": "object",
            "properties": {"number": {"type": "integer"}}, "required": ["number"],
        })
        import jsonschema
        logger.emit(schema_id="https://example.org/event", data={"number": 1})
        try:
            logger.schemas.validate_event("https://example.org/event", {"number": "one"})
        except jsonschema.ValidationError:
            pass
        else:
            raise SystemExit("not refused")
        assert imports.GRAMMAR not in sys.modules
    """)
    assert done.returncode == 0, done.stderr


def test_nothing_of_jupyters_is_imported_before_the_hub_has_answered() -> None:
    """Its modules read, while they are imported, what comes with the answer."""
    done = fresh("""
        imports.ahead()
        jupyters = ("jupyter", "nbformat", "nbconvert", "notebook")
        ours = [name for name in sys.modules if name.startswith(jupyters)]
        raise SystemExit(str(ours) if ours else 0)
    """)
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_imported_later_is_whole_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").write_text("from heavy.part import value\n")
    (tmp_path / "heavy" / "part.py").write_text("value = 7\n")
    done = fresh(f"""
        sys.path.insert(0, {str(tmp_path)!r})
        imports.defer("heavy")
        imports.defer("nowhere")
        import heavy
        assert "heavy.part" not in sys.modules and "nowhere" not in sys.modules
        import heavy.part
        assert heavy.part.value == 7 and "value" not in vars(heavy)
        from heavy import value
        assert value == 7 and sys.modules["heavy"] is not heavy
    """)
    assert done.returncode == 0, done.stderr


def test_the_directory_of_ipython_is_told_without_ipython_which_can_be_had_later(tmp_path: Path) -> None:
    (tmp_path / "IPython").mkdir()
    (tmp_path / "IPython" / "__init__.py").write_text("")
    (tmp_path / "IPython" / "paths.py").write_text("get_ipython_dir = 1\nlocate_profile = 2\n")
    done = fresh(f"""
        import os
        sys.path.insert(0, {str(tmp_path)!r})
        os.environ.update(HOME="/home/alice", XDG_CONFIG_HOME={str(tmp_path)!r})
        imports.stand_in_for_ipython()
        from IPython.paths import get_ipython_dir
        assert get_ipython_dir() == "/home/alice/.ipython" and "IPython" not in sys.modules
        os.environ["IPYTHONDIR"] = "/elsewhere"
        assert get_ipython_dir() == "/elsewhere"
        from IPython.paths import locate_profile
        assert locate_profile == 2 and "IPython" in sys.modules
    """)
    assert done.returncode == 0, done.stderr


def test_a_directory_of_an_old_ipython_is_left_to_ipython(tmp_path: Path) -> None:
    (tmp_path / "ipython").mkdir()
    done = fresh(f"""
        import os
        os.environ["XDG_CONFIG_HOME"] = {str(tmp_path)!r}
        imports.stand_in_for_ipython()
        assert "IPython.paths" not in sys.modules
    """)
    assert done.returncode == 0, done.stderr


def test_garbage_is_collected_again_once_the_start_is_over() -> None:
    done = fresh("""
        import gc
        imports.ahead()
        assert not gc.isenabled()
        imports.settle()
        assert gc.isenabled() and gc.get_freeze_count()
    """)
    assert done.returncode == 0, done.stderr
