"""What happens is told to every screen within a second, each what it may hear."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from fieldops.access import Role
from fieldops.errors import FieldopsError, NotFoundError
from fieldops.events import queries as events
from fieldops.streams import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.events.queries import Event

logger = logging.getLogger(__name__)

BEAT_S = 5.0
PACE_S = 0.05
"""Events are told in bundles, at most one in so long: five hundred threads wake for each."""
WAIT_S = 0.5
"""So often it is looked whether all must end; a commit is heard of at once all the same."""
RETRY_S = 0.25
PAGE = 500
LONGEST_QUEUE = 200
"""So many bundles may wait for a reader; one slower than that is sent away and resumes by id."""
LONGEST_STREAM_S = 900.0
"""Then a screen comes again, and is asked again who it is."""
RETRY_AFTER_S = 10


def crews_to_hear_of(session: Session, person: Person) -> frozenset[str] | None:
    """
    Give the crews whose work somebody may hear of, None for everything.

    Somebody who is only crew, and of a contractor or of no crew at all, hears of no other work.
    """
    if person.roles != frozenset({Role.CREW}) or find_spec("fieldops.crews.service") is None:
        return None
    own = import_module("fieldops.crews.service").crews_of_person(session, person.id)
    if any(crew.contractor is None for crew in own):
        return None
    return frozenset(crew.id for crew in own)


def find_crews_of(
    told: Sequence[Event], audience: Mapping[tuple[str, int], set[str]]
) -> dict[int | None, set[str]]:
    """Give by position which crews each event is for: those it names, and those on the job."""
    found = {}
    for event in told:
        crews = set(audience.get((event.subject_kind, event.subject_key), ()))
        named = [value for name, value in event.body.items() if name in CREW_FIELDS]
        crews |= {value for value in named if isinstance(value, str)}
        if event.subject_kind == "crew":
            crews.add(str(event.body.get("id")))
        found[event.position] = crews
    return found


CREW_FIELDS = frozenset({"crew", "second_crew", "from_crew", "crew_before", "of_crew"})


def choose_heard(
    session: Session, told: Sequence[Event], crews: frozenset[str] | None
) -> list[Event]:
    """Leave only what somebody with these crews may hear of."""
    if crews is None:
        return list(told)
    of = find_crews_of(told, queries.fetch_audience(session, told))
    return [event for event in told if of[event.position] & crews]


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the log; whoever may not hear everything still learns where to go on."""

    heard: list[Event]
    next: int
    head: int


def list_events_after(
    session: Session, after: int, limit: int, crews: frozenset[str] | None
) -> Page:
    """List what happened after a position."""
    head = events.fetch_head(session)
    told = events.fetch_events_after(session, after, limit)
    last = told[-1].position if told else None
    return Page(choose_heard(session, told, crews), last or after, head)


def list_events_of(
    session: Session, kind: str, subject_id: str, limit: int, crews: frozenset[str] | None
) -> list[Event]:
    """
    List what happened to a subject.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    key = events.fetch_key(session, kind, subject_id)
    if key is None:
        raise NotFoundError("There is no %(subject)s.", subject=f"{kind}:{subject_id}")
    return choose_heard(session, events.fetch_events_of(session, kind, [key], limit), crews)


def as_told(event: Event) -> dict[str, Any]:
    """Give an event as screens read it."""
    told = {
        "position": event.position,
        "kind": event.kind,
        "subject": f"{event.subject_kind}:{event.body.get('id', event.subject_key)}",
        "at": event.received_at.isoformat(),
        "by": event.person_name,
        "body": event.body,
    }
    if event.occurred_at != event.received_at:
        told["occurred_at"] = event.occurred_at.isoformat()
    if event.by_phone_for:
        told["by_phone_for"] = event.by_phone_for
    return told


class TooManyScreensError(FieldopsError):
    """As many screens listen as may."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "too-many-screens"

    @property
    def headers(self) -> Mapping[str, str]:
        """Say when to come back."""
        return {"Retry-After": str(RETRY_AFTER_S)}


class LogIsAwayError(TooManyScreensError):
    """The log cannot be read at the moment."""

    code: ClassVar[str] = "log-away"


class Feed(Protocol):
    """The log as it grows."""

    def head(self) -> int:
        """Give the newest position."""

    def after(self, position: int, limit: int) -> list[Event]:
        """Give what happened after a position."""

    def audience(self, told: Sequence[Event]) -> Mapping[tuple[str, int], set[str]]:
        """Give which crews events are for."""

    def wait(self, patience_s: float) -> bool:
        """Wait until something is committed, at most so long."""


class Line(Protocol):
    """A reader's connection, past whatever the web server has between."""

    def send(self, bundle: bytes) -> bytes:
        """Send what fits at once, and give the rest of it."""

    def send_rest(self, rest: bytes) -> None:
        """Send a rest, and wait until it is gone."""

    def is_closed(self) -> bool:
        """Tell whether the reader has hung up."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What did not fit into the line at once."""

    raw: bytes


@dataclass(eq=False, slots=True)
class Listener:
    """
    One screen: what it has still to be told, and from where on it is told live.

    While its reader keeps up, one thread writes to all screens, and the screen's own sleeps: to
    wake hundreds for each event would cost more than the event. Whatever does not fit at once is
    left to the screen's own thread, which may wait.
    """

    crews: frozenset[str] | None
    line: Line | None = None
    start: int = 0
    waiting: SimpleQueue[bytes | Rest | None] = field(default_factory=SimpleQueue)
    is_direct: bool = False
    is_slow: bool = False
    lock: Lock = field(default_factory=Lock)
    ends_at_s: float = field(default_factory=lambda: time.monotonic() + LONGEST_STREAM_S)

    def tell(self, bundle: bytes) -> None:
        """Send something or leave it to the own thread, unless the reader is much too slow."""
        with self.lock:
            if self.is_direct and self.line is not None:
                try:
                    rest = self.line.send(bundle)
                except OSError:
                    self.is_slow = True
                    rest = b""
                    self.waiting.put(None)
                self.is_direct = not rest and not self.is_slow
                if rest:
                    self.waiting.put(Rest(rest))
            elif self.is_slow or self.waiting.qsize() >= LONGEST_QUEUE:
                # Nothing more: what is queued has no gap, and by its last id the reader resumes.
                self.is_slow = True
            else:
                self.waiting.put(bundle)

    def is_closed(self) -> bool:
        """Tell whether the reader has hung up."""
        return self.line is not None and self.line.is_closed()

    def bundles(self) -> Iterator[bytes]:
        """Give what is told, until the reader is too slow, has been here long, or all must end."""
        try:
            while time.monotonic() < self.ends_at_s:
                told = self._wait()
                if bundle := b"".join(each for each in told if isinstance(each, bytes)):
                    yield bundle
                if None in told:
                    return
        finally:
            # The web server ends the answer now: nobody else may write any more.
            with self.lock:
                self.is_direct = False

    def _wait(self) -> list[bytes | Rest | None]:
        """Sleep while somebody else writes; give what is left to do, with None at the end."""
        with self.lock:
            self.is_direct = self.line is not None and self.waiting.empty() and not self.is_slow
        try:
            told = [self.waiting.get(timeout=BEAT_S)]
        except Empty:
            return [None] if self.is_slow else []
        while not self.waiting.empty():
            told.append(self.waiting.get())
        try:
            for each in told:
                if isinstance(each, Rest) and self.line is not None:
                    self.line.send_rest(each.raw)
        except OSError:
            return [None]
        return told


class Live:
    """Tells every screen of this process what happens, from one connection to the database."""

    def __init__(self, open_feed: Callable[[], AbstractContextManager[Feed]], most: int) -> None:
        """Take how to listen; nothing is opened before somebody wants to hear."""
        self.open_feed = open_feed
        self.most = most
        self.listeners: set[Listener] = set()
        self.position = 0
        self.lock = Lock()
        self.is_over = Flag()
        self.is_fed = Flag()
        self.thread: Thread | None = None

    def join(self, crews: frozenset[str] | None, line: Line | None = None) -> Listener:
        """
        Let a screen listen.

        Raises
        ------
        TooManyScreensError
            If as many listen as may, and all of them are still there.
        LogIsAwayError
            If the log cannot be read.
        """
        self._start()
        if self.is_over.is_set() or not self.is_fed.wait(timeout=2.0):
            raise LogIsAwayError("What happens cannot be told at the moment. Try again soon.")
        listener = Listener(crews, line)
        with self.lock:
            if len(self.listeners) >= self.most:
                self.listeners = {each for each in self.listeners if not each.is_closed()}
            if len(self.listeners) >= self.most:
                raise TooManyScreensError(
                    "%(most)s screens listen already, and no more may. Try again soon.",
                    most=self.most,
                )
            listener.start = self.position
            self.listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a screen."""
        with self.lock:
            self.listeners.discard(listener)

    def stop(self) -> None:
        """Let everybody go; they come back to whoever serves next."""
        self.is_over.set()
        self._send_away()

    def _send_away(self) -> None:
        for listener in list(self.listeners):
            listener.waiting.put(None)

    def _start(self) -> None:
        with self.lock:
            if self.thread is None:
                self.thread = Thread(target=self._run, name="live", daemon=True)
                self.thread.start()

    def _run(self) -> None:
        while not self.is_over.is_set():
            try:
                with self.open_feed() as feed:
                    self._follow(feed)
            except queries.LOST as error:
                # Screens stay and hear no heartbeat: so they know that they are out of date.
                if self.is_fed.is_set():
                    logger.warning("the log cannot be read: %s", error)
            except Exception:
                logger.exception("the log cannot be told")
            self.is_fed.clear()
            self.is_over.wait(RETRY_S)

    def _follow(self, feed: Feed) -> None:
        """Tell what happens for as long as the connection lasts."""
        head = feed.head()
        with self.lock:
            if not self.listeners or head < self.position:
                # If another database has come, what screens know is of no use any more.
                self._send_away()
                self.position = head
        beat_at_s = time.monotonic()
        while not self.is_over.is_set():
            self._tell_news(feed)
            self.is_fed.set()
            if time.monotonic() >= beat_at_s:
                beat_at_s = time.monotonic() + BEAT_S
                self._tell_everybody(heartbeat(self.position))
            while not self.is_over.is_set() and time.monotonic() < beat_at_s:
                if feed.wait(min(WAIT_S, beat_at_s - time.monotonic())):
                    self.is_over.wait(PACE_S)
                    break

    def _tell_news(self, feed: Feed) -> None:
        while told := feed.after(self.position, PAGE):
            bundles: dict[frozenset[str] | None, bytes] = {}
            while not self._tell(told, bundles):
                with self.lock:
                    wanted = {each.crews for each in self.listeners}
                bundles = bundle_by_crews(told, wanted, feed)
            if len(told) < PAGE:
                return

    def _tell(self, told: Sequence[Event], bundles: Mapping[frozenset[str] | None, bytes]) -> bool:
        """Tell everybody, unless somebody has come meanwhile for whom nothing is bundled."""
        with self.lock:
            if not {each.crews for each in self.listeners} <= bundles.keys():
                return False
            self.position = told[-1].position or self.position
            for listener in self.listeners:
                if bundles[listener.crews]:
                    listener.tell(bundles[listener.crews])
            return True

    def _tell_everybody(self, bundle: bytes) -> None:
        with self.lock:
            for listener in self.listeners:
                listener.tell(bundle)


def bundle_by_crews(
    told: Sequence[Event], wanted: set[frozenset[str] | None], feed: Feed
) -> dict[frozenset[str] | None, bytes]:
    """Write events once for all who may hear everything, and once for each narrower circle."""
    lines = [(event.position, as_message(event)) for event in told]
    bundles: dict[frozenset[str] | None, bytes] = {None: b"".join(line for _, line in lines)}
    narrow = wanted - {None}
    of = find_crews_of(told, feed.audience(told)) if narrow else {}
    for crews in narrow:
        heard = [line for position, line in lines if of[position] & (crews or frozenset())]
        bundles[crews] = b"".join(heard)
    return bundles


def as_message(event: Event) -> bytes:
    """Write an event as the stream has it."""
    data = json.dumps(as_told(event), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.position}\nevent: {event.kind}\ndata: {data}\n\n".encode()


def heartbeat(position: int) -> bytes:
    """Write that a screen is up to date, with the server's time."""
    now = dt.datetime.now(dt.UTC).isoformat()
    return f'event: heartbeat\ndata: {{"now":"{now}","position":{position}}}\n\n'.encode()
