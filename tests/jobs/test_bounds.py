"""What the queue bounds: logs, arguments, results, checkpoints, texts in sentences; and how it names states."""

from __future__ import annotations

import pytest

from xinglin.jobs import Kind, NoSuchJob, Queue, Work, Worker
from xinglin.jobs.errors import BadSchedule, NotNow, TooLarge
from xinglin.jobs.logs.repository import LOG_FIRST, LOG_LAST, LOG_SLACK
from xinglin.jobs.queue import ARGUMENTS_MOST
from xinglin.jobs.work import CHECKPOINT_MOST, RESULT_MOST, VALUE_MOST

LINES = 3 * (LOG_FIRST + LOG_LAST)


@pytest.mark.slow
def test_a_long_log_keeps_its_first_and_last_lines_and_says_how_many_are_between(queue: Queue) -> None:
    def run(work: Work) -> None:
        for n in range(LINES):
            work.say("info", "jobs.worker-lost", attempts=n)
        work.save({})  # behind them all in the same queue of writes

    job, other = queue.add("a"), queue.add("a")
    Worker(queue, [Kind("a", run)]).run_pending()
    lines = queue.log(job.id)
    assert len(lines) <= LOG_FIRST + LOG_LAST + LOG_SLACK
    (at,) = (n for n, line in enumerate(lines) if line.key == "jobs.log-left-out")
    assert [line.values["attempts"] for line in lines[:at]] == list(range(LOG_FIRST))
    left_out = lines[at].values["lines"]
    assert [line.values["attempts"] for line in lines[at + 1 :]] == list(range(LOG_FIRST + left_out, LINES))
    assert len(lines[at + 1 :]) >= LOG_LAST
    assert str(left_out) in lines[at].say("zh")
    assert len(queue.log(other.id)) == len(lines), "each job's own"


def test_arguments_that_are_too_large_are_refused_and_nothing_is_queued(queue: Queue) -> None:
    for add in (
        lambda: queue.add("a", {"x": "y" * ARGUMENTS_MOST}),
        lambda: queue.add_many("a", [{}, {"x": "y" * ARGUMENTS_MOST}]),
        lambda: queue.schedule("s", "a", {"x": "y" * ARGUMENTS_MOST}, every_s=60),
    ):
        with pytest.raises(TooLarge) as refused:
            add()
        assert refused.value.status == 413
        assert str(ARGUMENTS_MOST) in refused.value.say("zh")
    assert queue.list() == []
    assert queue.schedules() == []


def test_a_result_or_checkpoint_that_is_too_large_fails_the_job_with_the_reason(queue: Queue) -> None:
    def saves(work: Work) -> None:
        work.save({"x": "y" * CHECKPOINT_MOST})

    kinds = [Kind("result", lambda work: {"x": "y" * RESULT_MOST}), Kind("saves", saves)]
    jobs = [queue.add("result"), queue.add("saves")]
    Worker(queue, kinds).run_pending()
    found = [queue.get(job.id) for job in jobs]
    assert [(job.state, job.attempts) for job in found] == [("failed", 1)] * 2
    assert [job.error and job.error[0] for job in found] == ["jobs.result-large", "jobs.checkpoint-large"]


def test_the_texts_of_a_reason_are_kept_short_and_may_be_no_text_at_all(queue: Queue) -> None:
    def fail(work: Work) -> None:
        raise NoSuchJob("jobs.no-such-job", id="\udcff" + "x" * 100_000)

    job = queue.add("a")
    Worker(queue, [Kind("a", fail)]).run_pending()
    failed = queue.get(job.id)
    assert failed.state == "failed"
    assert len(failed.reason("zh") or "") < VALUE_MOST + 100


def test_states_and_fields_are_named_in_the_language_of_the_sentence(queue: Queue) -> None:
    job = queue.add("a")
    with pytest.raises(NotNow) as retried:
        queue.retry(job.id)
    queue.cancel(job.id)
    with pytest.raises(NotNow) as cancelled:
        queue.cancel(job.id)
    with pytest.raises(BadSchedule) as bad:
        queue.schedule("s", "a", cron="0 25 * * *")
    said = [error.value.say("zh") for error in (retried, cancelled, bad)]
    assert ["待执行" in said[0], "已取消" in said[1], "小时" in said[2]] == [True] * 3
    for text in said:
        assert not any(word in text for word in ("queued", "cancelled", "hour"))
    assert "cancelled" in cancelled.value.say("en")
