"""What Bob's page, and whoever sends people links, has tried: scripts for a browser, and addresses."""

from __future__ import annotations

OPEN_WEBSOCKET = """
(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => resolve("open");
  socket.onerror = () => resolve("refused");
})
"""
MAKE_TERMINAL = """
([url, token]) => fetch(url, {method: "POST", headers: {Authorization: `token ${token}`}})
    .then((answer) => answer.json())
"""
ASK = "(path, method) => fetch(path, {method}).then((answer) => answer.status)"
WORKER = "(scope) => navigator.serviceWorker.register('/user/bob/plot/sw.js', {scope}).then(() => scope)"
READ_FRAME = """
(path) => new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.onload = () => resolve(frame.contentDocument === null ? "closed" : frame.contentDocument.title);
  frame.src = path;
  document.body.append(frame);
})
"""
READ_OPENED = (
    "() => window.opened.closed ? 'closed' : window.opened.document.documentElement.outerHTML.length"
)
SHOW_PICTURE = """
(path) => new Promise((resolve) => {
  const picture = new Image();
  picture.onload = () => resolve(picture.width);
  picture.onerror = () => resolve("refused");
  picture.src = path;
})
"""
SENDS_ITSELF = """
<form method="post" action="{url}" enctype="multipart/form-data"><input name="profile" value="debug"></form>
<script>document.forms[0].submit()</script>
"""

ELSEWHERE_IN_DISGUISE = (
    "//evil.example.net/",
    "\\\\evil.example.net/",
    "/\\evil.example.net/",
    "https:evil.example.net/",
    "https:///evil.example.net/",
    "////evil.example.net/",
    "https://evil.example.net/",
    "http:\\\\evil.example.net/",
    "/\t/evil.example.net/",
    "\t//evil.example.net/",
    "%09//evil.example.net",
    " //evil.example.net/",
    "/%09/evil.example.net",
    "\uff0f\uff0fevil.example.net/",
    "https://hub.example.org@evil.example.net/",
    "https://hub.example.org.evil.example.net/",
    "javascript:alert(1)",
    "data:text/html,evil",
    "/hub/../..//evil.example.net/",
)
"""Addresses that some browser, some day, has taken for another host's."""
