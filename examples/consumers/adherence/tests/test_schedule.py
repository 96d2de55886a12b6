"""What is wanted when, and mistakes in the file."""

import unittest
from datetime import datetime
from zoneinfo import ZoneInfo

from adherence.schedule import ScheduleError, Wanted, read

BERLIN = ZoneInfo("Europe/Berlin")
FILE = """
zone: Europe/Berlin
tolerance: 2m
activities: { meeting: [away] }
agents:
  ada:
    name: Ada
    shifts:
      - { days: [mon, tue], from: 8:00, to: "16:30", activity: on_queue }
      - { days: [mon, tue], from: 12:00, to: 12:30, activity: break }
  grace:
    shifts:
      - { from: "22:00", to: "06:00", activity: on_queue }
""".replace(" 8:00", ' "08:00"')


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


class Wanting(unittest.TestCase):
    def setUp(self):
        self.schedule = read(FILE)

    def wanted(self, agent, text):
        return self.schedule.wanted(agent, at(text))

    def test_a_shift_begins_and_ends(self):  # 2026-03-09 is a Monday
        self.assertIsNone(self.wanted("ada", "2026-03-09T07:59:59"))
        wanted = Wanted("on_queue", at("2026-03-09T08:00"))
        self.assertEqual(wanted, self.wanted("ada", "2026-03-09T08:00:00"))
        self.assertEqual(wanted, self.wanted("ada", "2026-03-09T11:59:59"))
        self.assertIsNone(self.wanted("ada", "2026-03-09T16:30:00"))

    def test_days_without_it_are_free_and_strangers_are_not_scheduled(self):
        self.assertIsNone(self.wanted("ada", "2026-03-11T10:00"))
        self.assertIsNone(self.wanted("nobody", "2026-03-09T10:00"))

    def test_what_is_listed_later_is_put_on_top(self):
        self.assertEqual(Wanted("break", at("2026-03-09T12:00")), self.wanted("ada", "2026-03-09T12:10"))
        self.assertEqual(Wanted("on_queue", at("2026-03-09T12:30")), self.wanted("ada", "2026-03-09T13:00"))

    def test_a_night_shift_ends_on_the_next_day(self):
        night = Wanted("on_queue", at("2026-03-09T22:00"))
        self.assertEqual(night, self.wanted("grace", "2026-03-09T23:00"))
        self.assertEqual(night, self.wanted("grace", "2026-03-10T05:59"))
        self.assertIsNone(self.wanted("grace", "2026-03-10T06:00"))

    def test_clocks_that_change_change_the_length_and_not_the_hours(self):
        self.assertEqual(7 * 3600, at("2026-03-29T06:00") - at("2026-03-28T22:00"))
        self.assertIsNotNone(self.wanted("grace", "2026-03-29T05:59"))
        self.assertIsNone(self.wanted("grace", "2026-03-29T06:00"))

    def test_times_without_quotes_are_times(self):
        self.assertEqual("break", self.wanted("ada", "2026-03-10T12:29").activity)


class Mistakes(unittest.TestCase):
    def test_every_mistake_is_told_with_key_value_and_mend(self):
        with self.assertRaises(ScheduleError) as caught:
            read(
                """
zone: Mars/Olympus
tolerance: soon
activities: { break: [asleep] }
agents:
  ada: { shifts: [ { days: [someday], from: "25:00", to: "12:00", activity: nothing, until: 1 } ] }
"""
            )
        told = str(caught.exception)
        for part in (
            "zone: 'Mars/Olympus' is no time zone",
            "tolerance: 'soon' is a duration, such as 30s",
            "activities.break: ['asleep'] is a list of",
            "agents.ada.shifts[0].days: ['someday'] is a list of mon",
            "agents.ada.shifts[0].from: '25:00' is a time of the day",
            "agents.ada.shifts[0].activity: 'nothing' is one of",
            "agents.ada.shifts[0].until is no key",
        ):
            self.assertIn(part, told)

    def test_nothing_and_no_yaml_are_refused(self):
        for text in ("", "agents: {}", "- 1", "agents: ["):
            with self.assertRaises(ScheduleError, msg=text):
                read(text)


if __name__ == "__main__":
    unittest.main()
