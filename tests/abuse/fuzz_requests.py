"""Requests to the helper, as a hub that was taken over could make them: good ones, changed 0 to 3 times."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.abuse.hostile import FRAGMENTS, hostile_inside, hostile_text, hostile_value
from tests.unit.privileged.options_of_sbatch import OPTIONS_OF_SBATCH

PEOPLE = ("alice", "bob", "carol", "a.b@example.org", "x+y", "A_B", "0x1", "u" * 64)
OTHERS = (
    *[
        "root",
        "toor",
        "daemon",
        "nobody",
        "nfsnobody",
        "clusterhub",
        "low",
        "nowhere",
        "ALICE",
        "Alice",
        "-alice",
        ".alice",
        "../bob",
        ".",
        "+1001",
    ],
    *["bob/../alice", "alice/", "alice:bob", "alice%j", "%u", "{job}", "\u0430lice", "0", "1001", "@hpc"],
    *("alice ", " alice", "alice\n", "alice\0", "alice\u200b", "", "u" * 65),
)
SESSIONS = "/shared/sessions"
ENGINE = "/var/lib/engine"

GOOD_OPTIONS = (
    *OPTIONS_OF_SBATCH,
    *[
        "--full",
        "--quiet",
        "--signal=TERM",
        "--cpus=4",
        "--memory=1000",
        "--name=clusterhub",
        "--tag=clusterhub:h:alice:",
    ],
    *f"--directory={ENGINE} --capacity-cpus=4 --capacity-memory=1000".split(),
)
BAD_OPTIONS = (
    *[
        "--uid=0",
        "--uid",
        "--gid=0",
        "--wrap=id",
        "--wrap",
        "--export=ALL,LD_PRELOAD=/home/bob/x.so",
        "--export=PATH",
    ],
    *[
        "--export-file=/etc/shadow",
        "--propagate=ALL",
        "--output=/etc/cron.d/x.log",
        "--error=/etc/cron.d/x.log",
    ],
    *[
        "--input=/etc/shadow",
        "-o",
        "-o/etc/cron.d/x",
        "-D/",
        "-u",
        "-A",
        "-",
        "--",
        "@/etc/shadow",
        "/bin/sh",
        "--get-user-env",
        "--cron",
    ],
    *[
        "--get-user-env=0",
        "--bcast=/etc/x",
        "--task-prolog=/home/bob/x",
        "--prolog=/home/bob/x",
        "--array=0-99",
    ],
    *[
        "--dependency=afterany:1",
        "--mail-user=bob@example.org",
        "--begin=now",
        "--hold",
        "--jobid=1",
        "--user=bob",
    ],
    *[
        "--me",
        "--state=PENDING",
        "--name=bob-job",
        "--ctld",
        "--interactive",
        "--hurry",
        "--clusters=other",
        "-M",
        "--help",
    ],
    *[
        "--burst-buffer-file=/etc/shadow",
        "--comment=clusterhub:h:bob:",
        "--out=/etc/x",
        "--par",
        "--job=1",
        "--comm=x",
    ],
    *["--signal=KILL", "--signal=9", "--directory=/home/alice", "--nodefile=/etc/shadow", "--container=/x"],
    *["--chroot=/x", "--reboot", "--exclusive", "--licenses=matlab:3", "--licenses"],
)
BAD_OPTIONS_OF_SCANCEL = (
    "--me",
    "-u",
    "--user=bob",
    "--state=PENDING",
    "--name=x",
    "--ctld",
    "18",
    "--batch",
)
NAMES = ("default", "server-big", "a.b", "a+b", "1")
PROGRAMS = ("sbatch", "scancel", "local-engine")
KEYS = (
    "verb",
    "person",
    "argv",
    "stdin",
    "ticket",
    "name",
    "bytes",
    "job",
    "path",
    "signal",
    "program",
    "password",
    "until",
    "uid",
)
GOOD_SCRIPTS = (
    "#!/bin/sh\necho one\n",
    "#!/bin/bash\n# SBATCH is not read here\ntrue\n",
    "",
    "#!/bin/sh\r\n",
)
BAD_SCRIPTS = (
    *("#!/bin/sh\n#SBATCH --uid=0\n", "#SBATCH --wrap=id"),
    *("#!/bin/sh\n#PBS -o /etc/x\n", "#!/bin/sh\n#BSUB -o /x\n"),
)


class Requests:
    """An endless supply, the same for the same seed."""

    def __init__(self, seed: int, people: tuple[str, ...] = PEOPLE) -> None:
        self.people = people
        self.random = Random(seed)  # noqa: S311 - the same requests for the same seed

    def text(self) -> bytes:
        """One request as it would come on standard input."""
        document = self.document()
        random = self.random
        if random.random() < 0.97:
            return json.dumps(document).encode()
        text = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        place = random.randrange(len(text) + 1)
        match random.randrange(5):
            case 0:
                return text[:place] + bytes([random.randrange(256)]) + text[place + 1 :]
            case 1:
                return text + random.choice((b"{}", b" ", b"\0", b"\n" + text))
            case 2:
                return text[:place]
            case 3:
                return text.replace(b"{", b'{"person": "root", ', 1)
            case _:
                return text.replace(b"}", b', "person": "root"}', 1)

    def document(self) -> Any:
        """One request before it is written out."""
        random = self.random
        document: Any = self._good()
        for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3))):
            document = self._changed(document)
        return document

    def _good(self) -> dict[str, Any]:  # noqa: PLR0911 - one for each verb
        random = self.random
        person = random.choice(self.people)
        log = f"{random.choice(NAMES)}-{random.randrange(1, 99)}.log"
        program = random.choice(PROGRAMS)
        match random.randrange(11):
            case 8:
                return self._estimate(person)
            case 9:
                path = random.choice(("/home/alice/venv", "/shared/images/lab.sif", "/", "venv", "/a\nb"))
                return {"verb": "look-at-environment", "person": person, "path": path}
            case 0 | 1 | 10:
                return self._submission(person)
            case 2:
                told = ["cancel", f"--directory={ENGINE}"] if program == "local-engine" else []
                name = "local-engine" if told else "scancel"
                return {
                    "verb": "cancel",
                    "person": person,
                    "argv": [name, *told, str(random.randrange(1, 10**6))],
                }
            case 3:
                signal = random.choice(("TERM", "USR1", "KILL", "9", "ABRT"))
                job = str(random.randrange(1, 10**6))
                return {
                    "verb": "signal",
                    "person": person,
                    "program": "scancel",
                    "job": job,
                    "signal": signal,
                }
            case 4:
                request = {"verb": "read-log", "person": person, "name": log}
                return request if random.random() < 0.5 else {**request, "bytes": random.choice((1, 65536))}
            case 5:
                return {"verb": random.choice(("list-logs", "account", "disabled")), "person": person}
            case 6:
                return {"verb": "remove-ticket", "person": person, "name": f"{random.choice(NAMES)}.ticket"}
            case _:
                request = {"verb": "authenticate", "person": person, "password": random.choice(FRAGMENTS)}
                if random.random() < 0.3:
                    request["answers"] = random.choices(FRAGMENTS, k=random.randrange(3))
                return request if random.random() < 0.5 else {**request, "address": "192.0.2.7"}

    def _submission(self, person: str) -> dict[str, Any]:
        random = self.random
        tag = f"clusterhub:hub.example.org:{person}:{random.choice(('', 'big'))}"
        output = f"--output={SESSIONS}/{person}/{random.choice(NAMES)}-%j.log"
        if random.random() < 0.2:
            argv = ["local-engine", "submit", f"--directory={ENGINE}", f"--tag={tag}", output]
        else:
            argv = ["sbatch", f"--comment={tag}", output]
            argv += random.choice(([], ["--chdir=/home/alice/My work"]))
            argv += random.sample(OPTIONS_OF_SBATCH, random.randrange(5))
        request = {"verb": "submit", "person": person, "argv": argv, "stdin": random.choice(GOOD_SCRIPTS)}
        if random.random() < 0.5:
            request["ticket"] = {"name": f"{random.choice(NAMES)}.ticket", "text": "secret"}
        return request

    def _estimate(self, person: str) -> dict[str, Any]:
        """One in ten would submit."""
        argv = self._submission(person)["argv"]
        if argv[0] == "local-engine":
            argv[1] = "estimate"
        elif self.random.random() < 0.9:
            argv.insert(1, "--test-only")
        return {"verb": "estimate", "person": person, "argv": argv}

    def _changed(self, document: Any) -> Any:  # noqa: PLR0911 - one for each change
        random = self.random
        if not isinstance(document, dict):
            return hostile_value(random)
        kind = random.randrange(20)
        if kind < 8 and isinstance(document.get("argv"), list):
            return {**document, "argv": self._changed_words(document["argv"])}
        if kind < 11:
            return {**document, "person": random.choice((*self.people, *OTHERS))}
        if kind == 11:
            return {**document, random.choice(KEYS): hostile_value(random)}
        if kind == 12:
            return {key: value for key, value in document.items() if key != random.choice(KEYS)}
        if kind == 13:
            return {**document, "verb": self._good()["verb"]}
        if kind == 14:
            return {**self._good(), **document}
        if kind == 15 and "stdin" in document:
            return {**document, "stdin": random.choice((*GOOD_SCRIPTS, *BAD_SCRIPTS))}
        return hostile_inside(random, document)

    def _changed_words(self, argv: list[Any]) -> list[Any]:
        random = self.random
        words = list(argv)
        place = random.randrange(len(words) + 1)
        word = words[min(place, len(words) - 1)] if words else ""
        bad = BAD_OPTIONS_OF_SCANCEL if words[:1] == ["scancel"] and random.random() < 0.5 else BAD_OPTIONS
        match random.randrange(16):
            case 0 | 1 | 2:
                words.insert(place, random.choice(bad))
            case 3 | 4:
                words.insert(place, random.choice(GOOD_OPTIONS))
            case 5 | 6 | 7 | 8 if isinstance(word, str) and words:
                words[words.index(word)] = hostile_text(random, word)
            case 9 if words:  # in two words
                words[words.index(word) : words.index(word) + 1] = str(word).split("=", 1)
            case 10 | 11 if words:  # abbreviated, as getopt_long takes it
                name, equals, value = str(word).partition("=")
                words[words.index(word)] = name[: random.randrange(2, 9)] + equals + value
            case 12:
                words.append(word)
            case 13:
                words.insert(place, random.choice(FRAGMENTS))
            case 14 if words:
                other = random.choice((*self.people, "root"))
                words[words.index(word)] = str(word).replace(random.choice(self.people), other)
            case _:
                words.insert(place, hostile_value(random))
        return words
