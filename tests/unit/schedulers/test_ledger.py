"""What looks at the queue and at accounting add up to."""

from __future__ import annotations

from clusterhub.schedulers import ledger
from clusterhub.schedulers.ledger import ABSENCES_AGAINST_ACCOUNTING, KEPT, Ledger
from clusterhub.schedulers.model import Job, JobState, Outcome, Position, SchedulerError

RUNNING = Job("7", JobState.RUNNING, tag="t", person="alice", nodes=("n1",), restarts=1)
DONE = Job("7", JobState.ENDED, tag="t", person="alice", outcome=Outcome.COMPLETED)
ACCOUNTED = Job("7", JobState.ENDED, outcome=Outcome.OUT_OF_MEMORY, exit_code=1, peak_memory=5)


def look(before: Ledger, at: float, *jobs: Job) -> Ledger:
    return ledger.looked(before, {job.id: job for job in jobs}, began=at, now=at + 0.5)


SEEN = look(Ledger(), 10, RUNNING)


def test_a_good_look_replaces_the_snapshot() -> None:
    assert SEEN.snapshot.jobs == {"7": RUNNING}
    assert SEEN.snapshot.taken_at == 10.5
    assert SEEN.snapshot.error is None


def test_a_failed_look_changes_nothing_but_the_error() -> None:
    error = SchedulerError("no answer")
    failed = ledger.look_failed(SEEN, error)
    assert failed.snapshot.error is error
    assert (failed.snapshot.jobs, failed.snapshot.taken_at) == (SEEN.snapshot.jobs, SEEN.snapshot.taken_at)
    assert not failed.is_over("7")
    assert look(failed, 20, RUNNING).snapshot.error is None


def test_any_number_of_failed_looks_is_no_absence() -> None:
    book = look(SEEN, 20)
    for _ in range(10):
        book = ledger.look_failed(book, SchedulerError("no answer"))
    assert not book.is_over("7")


def test_a_job_that_the_queue_shows_as_ended_is_over() -> None:
    book = look(SEEN, 20, DONE)
    assert book.ending("7") == DONE


def test_a_job_that_left_the_queue_is_asked_of_accounting_and_not_yet_over() -> None:
    book = look(SEEN, 20)
    assert not book.is_over("7")
    assert book.to_account() == ("7",)


def test_absent_once_and_confirmed_by_accounting_is_over_with_what_the_queue_knew() -> None:
    book = ledger.accounted(look(SEEN, 20), ("7",), {"7": ACCOUNTED}, now=21)
    ending = book.ending("7")
    assert ending is not None
    assert (ending.outcome, ending.exit_code, ending.peak_memory) == (Outcome.OUT_OF_MEMORY, 1, 5)
    assert (ending.tag, ending.person, ending.nodes, ending.restarts) == ("t", "alice", ("n1",), 1)
    assert book.to_account() == ()


def test_absent_twice_is_over_where_accounting_cannot_answer() -> None:
    once = look(SEEN, 20)
    assert not once.is_over("7")
    twice = look(once, 30)
    ending = twice.ending("7")
    assert ending is not None
    assert (ending.state, ending.outcome) == (JobState.ENDED, Outcome.UNKNOWN)


def test_two_looks_hard_upon_each_other_are_one() -> None:
    book = look(look(SEEN, 20), 20.1)
    assert not book.is_over("7")
    assert look(book, 23).is_over("7")


def test_a_job_that_comes_back_was_never_gone() -> None:
    book = look(look(SEEN, 20), 30, RUNNING)
    assert not book.is_over("7")
    assert book.missing == {}
    assert not look(book, 40).is_over("7")


def test_a_job_that_accounting_says_lives_is_given_much_longer() -> None:
    book = SEEN
    alive = {"7": Job("7", JobState.RUNNING)}
    for number in range(1, ABSENCES_AGAINST_ACCOUNTING):
        book = ledger.accounted(look(book, 10 + number * 10), ("7",), alive, now=0)
        assert not book.is_over("7")
    assert look(book, 1000).is_over("7")


def test_a_look_that_began_before_the_job_was_submitted_is_no_absence() -> None:
    book = ledger.expect(Ledger(), "8", now=20)
    book = look(book, 19)
    book = look(book, 20)
    assert book.missing["8"].absences == 0
    assert look(look(book, 21), 24).is_over("8")


def test_an_expected_job_that_shows_up_is_missing_no_more() -> None:
    book = look(ledger.expect(Ledger(), "7", now=20), 21, RUNNING)
    assert book.missing == {}


def test_a_job_that_is_known_is_not_expected_again() -> None:
    assert ledger.expect(SEEN, "7", now=99) is SEEN


def test_accounting_adds_to_an_ending_that_the_queue_showed() -> None:
    book = look(SEEN, 20, DONE)
    assert book.to_account() == ("7",)
    book = ledger.accounted(book, ("7",), {"7": ACCOUNTED}, now=21)
    ending = book.ending("7")
    assert ending is not None
    assert ending.peak_memory == 5
    assert book.to_account() == ()


def test_accounting_that_knows_nothing_is_not_asked_for_ever() -> None:
    book = look(SEEN, 20, DONE)
    for _ in range(20):
        book = ledger.accounted(book, book.to_account(), {}, now=21)
    assert book.to_account() == ()
    assert book.ending("7") == DONE


def test_an_ending_is_settled_once_accounting_has_said_what_it_knows() -> None:
    book = look(SEEN, 20, DONE)
    assert not SEEN.is_settled("7")
    assert not book.is_settled("7")
    assert ledger.accounted(book, ("7",), {"7": ACCOUNTED}, now=21).is_settled("7")
    for _ in range(20):
        book = ledger.accounted(book, book.to_account(), {}, now=21)
    assert book.is_settled("7")


def test_a_job_that_is_requeued_after_its_end_lives_again() -> None:
    book = look(look(SEEN, 20, DONE), 30, RUNNING)
    assert not book.is_over("7")


def test_a_state_that_is_unknown_changes_nothing() -> None:
    unknown = Job("7", JobState.UNKNOWN)
    assert not look(SEEN, 20, unknown).is_over("7")
    assert look(look(SEEN, 20, DONE), 30, unknown).is_over("7")


def test_positions_are_kept_of_our_own_jobs_until_they_are_counted_again() -> None:
    place = (Position(12, "batch"),)
    book = ledger.counted(SEEN, {"7": place, "8": (Position(13, "batch"),)})
    assert book.snapshot.positions == {"7": place}
    assert look(book, 20, RUNNING).snapshot.positions == {"7": place}
    assert ledger.look_failed(book, SchedulerError("no answer")).snapshot.positions == {"7": place}
    assert ledger.counted(book, {}).snapshot.positions == {}


def test_endings_are_forgotten_after_a_day() -> None:
    book = look(look(SEEN, 20, DONE), 25)
    assert book.is_over("7")
    assert not look(book, 30 + KEPT).is_over("7")
