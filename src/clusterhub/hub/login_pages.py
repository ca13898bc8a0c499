"""The login page, with a second step where PAM asks for more than a password; and the way out."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.login import LoginHandler, LogoutHandler
from tornado.web import HTTPError

from clusterhub.audit.events import Logout
from clusterhub.languages.text import _, told
from clusterhub.privileged.broker import Question
from clusterhub.spawner.clusters import SETTING


class Refusal(HTTPError):
    """A refused login; the sentence is shown above the form, in the language of whoever asks."""

    def __init__(self, sentence: str, status: int = 403, *, why: str = "", retry_after: int = 0) -> None:
        super().__init__(status, told(sentence).replace("%", "%%"))
        self.why = why
        """A word for the audit log."""
        # JupyterHub puts these into the answer.
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}


class MoreQuestions(Refusal):
    """PAM asked for more than the password; the page asks for it, and the REST API says what is missing."""

    def __init__(self, questions: tuple[Question, ...], step: str) -> None:
        asked = " ".join(question.text for question in questions)
        super().__init__(
            _("Your account asks for more than a password: {asked}").format(asked=asked), why="more-questions"
        )
        self.questions = questions
        self.step = step


class LoginPage(LoginHandler):
    """JupyterHub's, which goes on with what PAM asks further."""

    async def post(self) -> None:
        """Logs in, or answers with a page that asks on."""
        try:
            await super().post()
        except MoreQuestions as asked:
            page = await self._render(
                username=self.get_argument("username", strip=True, default=""),
                clusterhub_questions=asked.questions,
                clusterhub_step=asked.step,
            )
            self.set_header("Cache-Control", "no-store")
            self.finish(page)


class LogoutPage(LogoutHandler):
    """JupyterHub's, with a line in the audit log."""

    async def handle_logout(self) -> Any:
        """JupyterHub calls this while it still knows who it is."""
        if self.current_user is not None:
            name = self.current_user.name
            self.settings[SETTING].audit.note(Logout(who=name, person=name))
        return await super().handle_logout()


HANDLERS = [(r"/login", LoginPage), (r"/logout", LogoutPage)]
