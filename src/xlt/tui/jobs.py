"""Work off the event loop: in a thread, on a leash, and without a word from what was cancelled.

    self.jobs.start("page", lambda job: self._read(job, wanted), self._show)

runs the first function in a thread and hands its result to the second one in the event loop. Another job of the same
name cancels the first: its query is interrupted, and nothing that it still says arrives.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from xlt.corpus.leash import Leash
from xlt.errors import Interrupted, XltError

if TYPE_CHECKING:
    from textual.message_pump import MessagePump
    from textual.timer import Timer

    from xlt.corpus.leash import Connection

T = TypeVar("T")
MEMORY, LITTLE = "256MB", "128MB"
"""What DuckDB gets for a job, and for one that is known to do with half: it sorts ten million posts in that, where the
rest of the app and the list before and after take 250 MB."""
# Nothing is said of what is over in a moment; seconds.
_SILENCE, _LOOK = 0.5, 0.25
_THREAD = "xlt-job-"


class Job:
    """One piece of work, as its function sees it."""

    def __init__(self, jobs: Jobs, name: str, about: str | None, memory: str = MEMORY) -> None:
        self.name, self.about = name, about
        self.spoke = False
        self.began = time.monotonic()
        self.leash = Leash(memory, self._waits)
        self._jobs = jobs
        self._said: tuple[str, float | None] | None = None
        self._sent = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; long loops look at it."""
        return self.leash.stopped

    @contextmanager
    def corpus(self, path: Path) -> Iterator[Connection]:
        """The corpus, open for the block; waits while another program holds it and says who does."""
        from xlt.corpus import gate

        with gate.opened(path) as con:
            self.say("")
            yield con

    def say(self, sentence: str, part: float | None = None) -> None:
        """Show a sentence, and how much is done (0 to 1); what was said before and not shown yet is dropped."""
        with self._sent:
            waits, self._said = self._said is not None, (sentence, part)
        if not waits:
            self._jobs.deliver(self, self._speak)

    def hand(self, then: Callable[[T], None], part: T) -> None:
        """Hand a part of the result to `then` in the event loop, and go on."""
        self._jobs.deliver(self, lambda: then(part))

    def cancel(self) -> None:
        """End its query; nothing of it arrives from now on."""
        self.leash.stop()

    def _waits(self, sentence: str) -> None:
        self.say(f"{sentence} Trying again …")

    def _speak(self) -> None:
        with self._sent:
            said, self._said = self._said, None
        if said is not None:
            self._jobs.said(self, *said)


class Jobs:
    """The jobs of one screen. `say` and `fail` show sentences; `fail` gets what a user can mend."""

    def __init__(
        self,
        owner: MessagePump,
        say: Callable[[str, float | None], None],
        fail: Callable[[XltError], None],
        defect: Callable[[Exception], None],
    ) -> None:
        self._owner, self._say, self._fail, self._defect = owner, say, fail, defect
        self._running: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._timer: Timer | None = None

    @property
    def busy(self) -> bool:
        """Whether a job's result is still awaited, or a cancelled one has not ended yet."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return bool(self._running or self._threads)

    def running(self, name: str) -> Job | None:
        """The job of this name whose result is awaited."""
        return self._running.get(name)

    def start(
        self,
        name: str,
        work: Callable[[Job], T],
        then: Callable[[T], None],
        failed: Callable[[XltError], None] | None = None,
        about: str | None = None,
        memory: str = MEMORY,
    ) -> Job:
        """Run `work` in a thread and hand its result to `then`, or a user's error to `failed`, in the event loop.

        `about` is said of a job that takes a while and says nothing itself: `Counting`.
        """
        self.cancel(name)
        job = Job(self, name, about, memory)
        if self._timer is None:
            self._timer = self._owner.set_interval(_LOOK, self._tick)
        self._running[name] = job

        def run() -> None:
            try:
                with job.leash.hold():
                    try:
                        result = work(job)
                    except XltError as error:
                        if memory == MEMORY or "not enough memory" not in str(error):
                            raise
                        job.leash.memory = MEMORY
                        result = work(job)
            except Interrupted:
                self.deliver(job, lambda: self._end(job))
            except XltError as error:
                # Without its frames: they would keep a connection alive.
                sentence = error.with_traceback(None)
                self.deliver(job, lambda: self._end(job, failed or self._fail, sentence))
            except Exception as error:
                defect = error
                self.deliver(job, lambda: self._end(job, self._defect, defect))
            else:
                self.deliver(job, lambda: self._end(job, then, result))

        # The context knows the app, which Textual asks for.
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(run,), name=f"{_THREAD}{name}", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()
        return job

    def cancel(self, name: str) -> bool:
        """Cancel the job of this name; whether there was one."""
        job = self._running.pop(name, None)
        if job is not None:
            job.cancel()
            self._say("", None)
        return job is not None

    def cancel_all(self) -> None:
        """Cancel every job."""
        for job in self._running.values():
            job.cancel()
        self._running.clear()

    def deliver(self, job: Job, what: Callable[[], None]) -> None:
        """From a job's thread: do `what` in the event loop unless the job was cancelled by then."""

        def arrive() -> None:
            if not job.cancelled:
                what()

        self._owner.call_later(arrive)

    def said(self, job: Job, sentence: str, part: float | None) -> None:
        """In the event loop: what a job says."""
        if self._running.get(job.name) is job:
            job.spoke = bool(sentence)
            self._say(sentence, part)

    def _tick(self) -> None:
        for job in self._running.values():
            seconds = time.monotonic() - job.began
            if job.about and not job.spoke and seconds > _SILENCE:
                self._say(f"{job.about} …  {seconds:.0f} s", job.leash.progress())

    def _end(self, job: Job, then: Callable[[Any], None] | None = None, result: Any = None) -> None:
        if self._running.get(job.name) is job:
            del self._running[job.name]
            self._say("", None)
            if then is not None:
                then(result)


def settle(patience: float = 5.0) -> None:
    """The app has ended: wait for the threads of jobs, cancelled ones too, so that none is in DuckDB when Python ends;
    and keep nothing warm any more."""
    deadline = time.monotonic() + patience
    for thread in threading.enumerate():
        if thread.name.startswith(_THREAD):
            thread.join(max(0.0, deadline - time.monotonic()))
    from xlt.corpus import gate
    from xlt.tui import warmth

    gate.cool()
    warmth.cool()
