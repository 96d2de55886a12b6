"""The schedule: who should be doing what when. Pure once the file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import yaml

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The words of `AgentStateEvent.Availability`, in lower case.
AVAILABILITIES = (
    "offline",
    "away",
    "available",
    "busy",
    "after_contact_work",
    "not_responding",
)
# What counts as keeping to an activity, unless the file says otherwise.
ACTIVITIES = {
    "on_queue": ("available", "busy", "after_contact_work"),
    "break": ("away", "offline"),
    "off": ("offline", "away"),
}


class ScheduleError(ValueError):
    """A schedule that cannot be used: what is wrong, where, and the mend."""


@dataclass(frozen=True)
class Shift:
    """A time of the day on some days. One that ends before it begins ends on the next day."""

    activity: str
    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True)
class Agent:
    """Somebody who is scheduled."""

    id: str
    name: str
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Wanted:
    """What somebody should be doing, and since when (in seconds of Unix time)."""

    activity: str
    since: float


@dataclass(frozen=True)
class Schedule:
    """A file, read."""

    zone: ZoneInfo
    tolerance: float
    activities: dict[str, frozenset[str]]
    agents: dict[str, Agent]

    def wanted(self, agent: str, at: float) -> Wanted | None:
        """What this agent should be doing at a time; None where nothing is scheduled."""
        if agent not in self.agents:
            return None
        spans = self._spans(self.agents[agent], at)
        activity = _activity(spans, at)
        if activity is None:
            return None
        edges = sorted({edge for start, end, _ in spans for edge in (start, end)}, reverse=True)
        for edge in edges:
            # Just before: what ends then is still going on.
            if edge <= at and _activity(spans, edge - 1e-3) != activity:
                return Wanted(activity, edge)
        return Wanted(activity, edges[-1])

    def keeps(self, activity: str, availability: str) -> bool:
        """Whether that state keeps to that activity."""
        return availability in self.activities[activity]

    def _spans(self, agent: Agent, at: float) -> list[tuple[float, float, str]]:
        """Shifts of the days around a time, as spans of Unix time, in the order of the file."""
        today = datetime.fromtimestamp(at, self.zone).date()
        days = [today + timedelta(days=offset) for offset in (-2, -1, 0)]
        spans = []
        for shift in agent.shifts:
            for day in days:
                if day.weekday() in shift.days:
                    over_night = timedelta(days=1 if shift.end <= shift.start else 0)
                    start = self._moment(day, shift.start)
                    spans.append((start, self._moment(day + over_night, shift.end), shift.activity))
        return spans

    def _moment(self, day: date, at: time) -> float:
        return datetime.combine(day, at, self.zone).timestamp()


def _activity(spans: list[tuple[float, float, str]], at: float) -> str | None:
    """The last of the spans that hold a time: what is listed later is put on top."""
    found = None
    for start, end, activity in spans:
        if start <= at < end:
            found = activity
    return found


def read(text: str) -> Schedule:
    """Reads YAML or JSON. Raises ScheduleError with every mistake."""
    try:
        # Every scalar as text: to YAML 1.1, 12:30 is the number 750.
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ScheduleError(f"not YAML: {error}") from None
    reader = _Reader()
    schedule = reader.schedule(document)
    if reader.mistakes:
        raise ScheduleError("\n".join(reader.mistakes))
    return schedule


class _Reader:
    """Gathers mistakes, so that all are told at once."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def schedule(self, document: object) -> Schedule:
        top = self._table(document, "", {"zone", "tolerance", "activities", "agents"})
        activities = {name: frozenset(states) for name, states in ACTIVITIES.items()}
        for name, states in self._table(top.get("activities", {}), "activities").items():
            activities[name] = self._words(states, f"activities.{name}", AVAILABILITIES)
        agents = {}
        for key, value in self._table(top.get("agents", {}), "agents").items():
            agents[key] = self._agent(key, value, activities)
        if not agents:
            self._wrong("agents", "", "is missing or empty; list agents by their id")
        return Schedule(
            zone=self._zone(top.get("zone", "UTC")),
            tolerance=self._span(top.get("tolerance", "5m"), "tolerance"),
            activities=activities,
            agents=agents,
        )

    def _agent(self, key: str, value: object, activities: dict[str, frozenset[str]]) -> Agent:
        table = self._table(value, f"agents.{key}", {"name", "shifts"})
        shifts = table.get("shifts", [])
        if not isinstance(shifts, list):
            self._wrong(f"agents.{key}.shifts", shifts, "is a list of {days, from, to, activity}")
            shifts = []
        read_shifts = [
            self._shift(shift, f"agents.{key}.shifts[{index}]", activities)
            for index, shift in enumerate(shifts)
        ]
        return Agent(key, str(table.get("name", key)), tuple(read_shifts))

    def _shift(self, value: object, where: str, activities: dict[str, frozenset[str]]) -> Shift:
        table = self._table(value, where, {"days", "from", "to", "activity"})
        activity = str(table.get("activity", ""))
        if activity not in activities:
            self._wrong(f"{where}.activity", activity, f"is one of {', '.join(sorted(activities))}")
        days = self._words(table.get("days", list(DAYS)), f"{where}.days", DAYS)
        return Shift(
            activity=activity,
            days=frozenset(DAYS.index(day) for day in days if day in DAYS),
            start=self._time(table.get("from"), f"{where}.from"),
            end=self._time(table.get("to"), f"{where}.to"),
        )

    def _table(self, value: object, where: str, keys: set[str] | None = None) -> dict[str, object]:
        if not isinstance(value, dict):
            self._wrong(where or "the file", value, "is a table of keys and values")
            return {}
        for key in set(value) - (keys or set(value)):
            self._wrong(f"{where}.{key}".lstrip("."), "", f"is no key; there are {sorted(keys or ())}")
        return value

    def _words(self, value: object, where: str, known: tuple[str, ...]) -> frozenset[str]:
        if not isinstance(value, list) or not set(map(str, value)) <= set(known):
            self._wrong(where, value, f"is a list of {', '.join(known)}")
            return frozenset()
        return frozenset(map(str, value))

    def _time(self, value: object, where: str) -> time:
        try:
            return time.fromisoformat(str(value))
        except ValueError:
            self._wrong(where, value, "is a time of the day, such as 09:30")
            return time()

    def _span(self, value: object, where: str) -> float:
        found = re.fullmatch(r"(\d+)(s|m|h)", str(value))
        if not found:
            self._wrong(where, value, "is a duration, such as 30s or 5m")
            return 0.0
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]

    def _zone(self, value: object) -> ZoneInfo:
        try:
            return ZoneInfo(str(value))
        except (OSError, ValueError, KeyError):
            self._wrong("zone", value, "is no time zone; such as Europe/Berlin or UTC")
            return ZoneInfo("UTC")

    def _wrong(self, where: str, value: object, mend: str) -> None:
        given = f": {value!r}" if value not in ("", None) else ""
        self.mistakes.append(f"{where}{given} {mend}")
