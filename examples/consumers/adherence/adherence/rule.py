"""The rule: from events and time to alerts. Pure: times come in as numbers, alerts go out as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from adherence.schedule import Schedule

# Of what is known of somebody, work at hand counts most, then whether they are there at all.
WEIGHT = ("busy", "not_responding", "after_contact_work", "offline", "away", "available")

RESOLUTION = 1.0


@dataclass
class Fact:
    """What one feed says of an agent. Platforms tell presence and routing status apart."""

    availability: str
    # The platform's own word.
    word: str
    since: float
    # Gaps that may hide a newer fact.
    doubts: list[str] = field(default_factory=list)
    # It was fetched after the gap: what is so now, if the gap ends as a snapshot.
    fetched: bool = False


@dataclass
class Known:
    """An agent: facts by feed, and how they stand to the schedule."""

    facts: dict[str, Fact] = field(default_factory=dict)
    out_since: float | None = None
    alerted: bool = False

    def state(self) -> Fact | None:
        """What all facts together say; None before the first."""
        known = [fact for fact in self.facts.values() if fact.availability in WEIGHT]
        return min(known, key=lambda fact: WEIGHT.index(fact.availability), default=None)

    def since(self) -> float:
        """When that began: one fact may have stood behind another for long."""
        return max(fact.since for fact in self.facts.values())

    def doubted(self) -> bool:
        return any(fact.doubts for fact in self.facts.values())


@dataclass(frozen=True)
class Notice:
    """Something to tell: `alert`, `back`, `uncertain`, `certain`, `away` or `connected`."""

    kind: str
    at: float
    text: str
    # Whether what is known is known to be current.
    certain: bool = True
    agent: str | None = None
    details: dict[str, object] = field(default_factory=dict)


class Rule:
    """What is known, and what follows from it."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.now = 0.0
        self._judged = 0.0
        self.agents: dict[str, Known] = {agent: Known() for agent in schedule.agents}
        # Sessions without a connection, and since when.
        self.away: dict[str, float] = {}

    def pass_time(self, to: float) -> list[Notice]:
        """Judges everybody at a time, at most once a second. Time does not go back."""
        self.now = max(self.now, to)
        if self.now - self._judged < RESOLUTION:
            return []
        self._judged = self.now
        return [notice for agent in self.agents for notice in self._judge(agent)]

    def tell(self, agent: str, feed: str, fact: Fact, backfilled: bool = False) -> list[Notice]:
        """Takes in what a feed says of an agent who is scheduled."""
        if agent not in self.agents:
            return []
        known = self.agents[agent]
        before, was_doubted = known.facts.get(feed), known.doubted()
        if before is not None and backfilled:
            # Fetched later than it happened: what is known may be newer, and may still be doubted.
            fact.doubts, fact.fetched = before.doubts, True
            if before.since > fact.since:
                fact.availability, fact.word, fact.since = before.availability, before.word, before.since
        known.facts[feed] = fact
        notices = self._judge(agent)
        if was_doubted and not known.doubted():
            notices.append(self._certain([agent]))
        return notices

    def doubt(self, gap: str, why: str, concerns: set[str] | None = None) -> list[Notice]:
        """A gap: facts of these feeds (agent and feed as `agent/feed`; None is all) may be outdated until
        something fresh comes."""
        met = []
        for agent, known in self.agents.items():
            for feed, fact in known.facts.items():
                if concerns is None or f"{agent}/{feed}" in concerns:
                    fact.doubts = [*fact.doubts, gap]
                    fact.fetched = False
                    met.append(agent)
        met = sorted(set(met))
        if not met:
            return []
        text = f"{why}: what is known of {len(met)} agents is uncertain until something fresh comes"
        return [Notice("uncertain", self.now, text, False, details={"gap": gap, "agents": met})]

    def settle(self, gap: str, complete: bool) -> list[Notice]:
        """The gap ended: `complete` where everything it held was fetched, else what was fetched is what
        is so now."""
        settled = []
        for agent, known in self.agents.items():
            was_doubted = known.doubted()
            for fact in known.facts.values():
                if gap in fact.doubts and (complete or fact.fetched):
                    fact.doubts.remove(gap)
            if was_doubted and not known.doubted():
                settled.append(agent)
        return [self._certain(settled)] if settled else []

    def lose(self, session: str, why: str) -> list[Notice]:
        """The sidecar has no connection to the platform: what is known grows old."""
        if session in self.away:
            return []
        self.away[session] = self.now
        return [Notice("away", self.now, f"{session} is away ({why}): what is known grows old", False)]

    def regain(self, session: str) -> list[Notice]:
        if session not in self.away:
            return []
        gone = self.now - self.away.pop(session)
        return [Notice("connected", self.now, f"{session} is back after {gone:.0f} s")]

    def counts(self) -> dict[str, int]:
        """How many keep to their schedule, and how many do not."""
        counts = {"kept": 0, "out": 0, "unknown": 0, "unscheduled": 0, "uncertain": 0}
        for agent, known in self.agents.items():
            if self.schedule.wanted(agent, self.now) is None:
                counts["unscheduled"] += 1
            elif known.state() is None:
                counts["unknown"] += 1
            else:
                counts["kept" if known.out_since is None else "out"] += 1
            counts["uncertain"] += known.doubted()
        return counts

    def _judge(self, agent: str) -> list[Notice]:
        known, state = self.agents[agent], self.agents[agent].state()
        wanted = self.schedule.wanted(agent, self.now)
        if state is None:
            return []
        if wanted is None or self.schedule.keeps(wanted.activity, state.availability):
            was_out, was_told = known.out_since, known.alerted
            known.out_since, known.alerted = None, False
            if not was_told or was_out is None:
                return []
            return [self._notice("back", agent, f"back after {_span(self.now - was_out)}")]
        if known.out_since is None:
            known.out_since = min(self.now, max(known.since(), wanted.since))
        lasted = self.now - known.out_since
        if known.alerted or lasted < self.schedule.tolerance:
            return []
        known.alerted = True
        text = f"should be {wanted.activity}, is {state.availability} ({state.word}) for {_span(lasted)}"
        details = {
            "wanted": wanted.activity,
            "wanted_since": wanted.since,
            "availability": state.availability,
            "provider_state": state.word,
            "out_since": known.out_since,
        }
        return [self._notice("alert", agent, text, details)]

    def _notice(
        self, kind: str, agent: str, text: str, details: dict[str, object] | None = None
    ) -> Notice:
        certain = not self.agents[agent].doubted() and not self.away
        name = self.schedule.agents[agent].name
        return Notice(kind, self.now, f"{name}: {text}", certain, agent, details or {})

    def _certain(self, agents: list[str]) -> Notice:
        text = f"what is known of {len(agents)} agents is certain again"
        return Notice("certain", self.now, text, details={"agents": agents})

    # --- what is kept over a restart ---

    def dump(self) -> dict[str, object]:
        agents = {agent: asdict(known) for agent, known in self.agents.items() if known.facts}
        return {"now": self.now, "away": self.away, "agents": agents}

    def load(self, kept: dict) -> None:
        """What was kept of agents who are still scheduled."""
        self.now, self.away = float(kept["now"]), dict(kept["away"])
        for agent, known in kept["agents"].items():
            if agent in self.agents:
                facts = {feed: Fact(**fact) for feed, fact in known.pop("facts").items()}
                self.agents[agent] = Known(facts=facts, **known)


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
