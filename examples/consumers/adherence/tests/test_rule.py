"""When an alert is made, when it is taken back, and what gaps do to what is known."""

import json
import unittest

from adherence.rule import Fact, Rule
from adherence.schedule import read

# 2026-03-09 08:00 UTC, a Monday.
MORNING = 1773043200.0
SCHEDULE = """
tolerance: 60s
agents:
  ada: { name: Ada, shifts: [ { from: "08:00", to: "16:00", activity: on_queue },
                              { from: "12:00", to: "12:30", activity: break } ] }
  grace: { name: Grace, shifts: [ { from: "08:00", to: "16:00", activity: on_queue } ] }
"""


def kinds(notices):
    return [(notice.kind, notice.agent) for notice in notices]


class Ruling(unittest.TestCase):
    def setUp(self):
        self.rule = Rule(read(SCHEDULE))
        self.rule.pass_time(MORNING + 3600)

    def after(self, minutes):
        return self.rule.pass_time(MORNING + 3600 + 60 * minutes)

    def tell(self, availability, agent="ada", feed="presence", since=None, backfilled=False):
        since = self.rule.now if since is None else since
        return self.rule.tell(agent, feed, Fact(availability, availability.upper(), since), backfilled)

    def test_an_alert_comes_once_the_tolerance_is_over_and_only_once(self):
        self.assertEqual([], self.tell("away"))
        self.assertEqual([], self.rule.pass_time(self.rule.now + 59))
        alerts = self.rule.pass_time(self.rule.now + 1)
        self.assertEqual([("alert", "ada")], kinds(alerts))
        self.assertIn("Ada: should be on_queue, is away (AWAY) for 1 min", alerts[0].text)
        self.assertEqual([], self.after(30))

    def test_who_comes_back_in_time_is_not_told(self):
        self.tell("away")
        self.after(0.5)
        self.assertEqual([], self.tell("busy"))
        self.assertEqual([], self.after(60))

    def test_coming_back_takes_an_alert_back(self):
        self.tell("away")
        self.after(2)
        self.assertEqual([("back", "ada")], kinds(self.tell("available")))
        self.tell("away")
        self.assertEqual([("alert", "ada")], kinds(self.after(4)))

    def test_changing_from_one_wrong_state_to_another_is_one_deviation(self):
        self.tell("away")
        self.rule.pass_time(self.rule.now + 40)
        self.tell("offline")
        self.assertEqual([("alert", "ada")], kinds(self.rule.pass_time(self.rule.now + 20)))

    def test_time_counts_from_when_the_platform_says_it_began_but_not_before_the_shift(self):
        self.assertEqual([("alert", "ada")], kinds(self.tell("away", since=self.rule.now - 61)))
        early = Rule(read(SCHEDULE))
        early.pass_time(MORNING - 600)
        early.tell("ada", "presence", Fact("offline", "OFFLINE", MORNING - 3600))
        self.assertEqual([], early.pass_time(MORNING + 59))
        self.assertEqual([("alert", "ada")], kinds(early.pass_time(MORNING + 60)))

    def test_the_schedule_alone_moves_somebody_out_and_back(self):
        self.tell("available")
        self.assertEqual([], self.after(179))
        self.assertEqual([("alert", "ada")], kinds(self.after(181)))  # the break began at 12:00
        self.assertEqual([("back", "ada")], kinds(self.after(210)))

    def test_nobody_is_judged_who_was_never_heard_of_or_has_no_shift(self):
        self.assertEqual([], self.after(120))
        self.assertEqual(2, self.rule.counts()["unknown"])
        self.rule.pass_time(MORNING + 9 * 3600)
        self.tell("offline")
        self.assertEqual([], self.rule.pass_time(MORNING + 10 * 3600))
        self.assertEqual(2, self.rule.counts()["unscheduled"])

    def test_strangers_are_ignored(self):
        self.assertEqual([], self.tell("away", agent="nobody"))

    def test_work_at_hand_counts_more_than_presence(self):
        self.tell("away", feed="presence")
        self.tell("busy", feed="routingStatus")
        self.assertEqual([], self.after(30))
        self.tell("away", feed="routingStatus")
        self.assertEqual([("alert", "ada")], kinds(self.after(32)))

    def test_a_gap_makes_what_is_known_uncertain_until_something_fresh_comes(self):
        self.tell("away")
        self.tell("available", agent="grace")
        self.assertEqual(["uncertain"], [n.kind for n in self.rule.doubt("e/7", "gone")])
        alert = self.after(2)
        self.assertEqual([("alert", "ada")], kinds(alert))
        self.assertFalse(alert[0].certain)
        self.assertEqual([("certain", None)], kinds(self.tell("away")))
        self.assertEqual(1, self.rule.counts()["uncertain"])

    def test_a_gap_of_other_feeds_is_none_of_ours(self):
        self.tell("away")
        self.assertEqual([], self.rule.doubt("e/7", "gone", set()))
        self.assertEqual([], self.rule.doubt("e/7", "gone", {"ada/routingStatus"}))
        self.assertEqual(1, len(self.rule.doubt("e/7", "gone", {"ada/presence"})))

    def test_a_gap_that_was_filled_leaves_no_doubt(self):
        self.tell("available")
        self.rule.doubt("e/7", "gone")
        self.assertEqual([], self.rule.settle("e/6", complete=True))
        self.assertEqual([("certain", None)], kinds(self.rule.settle("e/7", complete=True)))

    def test_a_snapshot_settles_only_what_it_held(self):
        self.tell("available")
        self.tell("available", agent="grace")
        self.rule.doubt("e/7", "gone")
        self.assertEqual([], self.tell("available", backfilled=True))
        settled = self.rule.settle("e/7", complete=False)
        self.assertEqual(["ada"], settled[0].details["agents"])
        self.assertEqual(1, self.rule.counts()["uncertain"])

    def test_what_is_fetched_late_does_not_replace_what_is_newer(self):
        self.tell("available", since=self.rule.now)
        self.tell("away", since=self.rule.now - 600, backfilled=True)
        self.assertEqual([], self.after(30))

    def test_two_gaps_have_to_end_both(self):
        self.tell("available")
        self.rule.doubt("e/7", "gone")
        self.rule.doubt("e/9", "gone")
        self.assertEqual([], self.rule.settle("e/7", complete=True))
        self.assertEqual(["certain"], [n.kind for n in self.rule.settle("e/9", complete=True)])

    def test_while_the_platform_is_away_nothing_is_certain(self):
        self.tell("away")
        self.assertEqual(["away"], [n.kind for n in self.rule.lose("sessions/a", "RESET")])
        self.assertEqual([], self.rule.lose("sessions/a", "RESET"))
        self.assertFalse(self.after(2)[0].certain)
        self.assertEqual(["connected"], [n.kind for n in self.rule.regain("sessions/a")])

    def test_a_restart_changes_nothing(self):
        self.tell("away")
        self.tell("available", agent="grace")
        self.rule.doubt("e/7", "gone", {"grace/presence"})
        self.after(0.5)
        kept = json.dumps(self.rule.dump())
        again = Rule(read(SCHEDULE))
        again.load(json.loads(kept))
        self.assertEqual(self.rule.counts(), again.counts())
        self.assertEqual(kept, json.dumps(again.dump()))
        alert = again.pass_time(MORNING + 3600 + 60)
        self.assertEqual([("alert", "ada")], kinds(alert))
        # Told before the end is not told again after it.
        once_more = Rule(read(SCHEDULE))
        once_more.load(json.loads(json.dumps(again.dump())))
        self.assertEqual([], once_more.pass_time(MORNING + 3600 + 600))


if __name__ == "__main__":
    unittest.main()
