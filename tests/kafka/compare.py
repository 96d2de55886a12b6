"""What a topic holds against what the journal holds: lost, doubled, disordered, altered. Pure."""

import base64
import collections
import json

GAP = "tieline.gap.v1"


def records_of(lines):
    """The records that Topic.java printed, and how many offsets there are."""
    *told, last = [json.loads(line) for line in lines]
    return [Record(record) for record in told], last["offsets"]


class Record:
    """A record of the topic."""

    def __init__(self, told):
        self.partition, self.offset = told["partition"], told["offset"]
        self.key = base64.b64decode(told["key"]).decode()
        self.value = base64.b64decode(told["value"])
        self.headers = {
            name: base64.b64decode(value).decode() for name, value in told["headers"].items()
        }
        self.epoch = self.headers.get("ce_journalepoch")
        self.is_gap = self.headers.get("ce_type") == GAP
        self.sequence = None if self.is_gap else int(self.headers["ce_sequence"])


def problems_of(journal, epoch, records):
    """Everything that is wrong with the records of an epoch, most serious first."""
    found = [record for record in records if record.epoch == epoch and not record.is_gap]
    events = {event["sequence"]: event for event in journal}
    counts = collections.Counter(record.sequence for record in found)
    lost = sorted(events.keys() - counts.keys())
    doubled = sorted(sequence for sequence, count in counts.items() if count > 1)
    invented = sorted(counts.keys() - events.keys())
    problems = [
        f"{len(sequences)} {what}, such as {sequences[:5]}"
        for what, sequences in (("lost", lost), ("doubled", doubled), ("invented", invented))
        if sequences
    ]
    altered = [r.sequence for r in found if r.sequence in events and _altered(r, events[r.sequence])]
    if altered:
        problems.append(f"{len(altered)} altered, such as {altered[:5]}")
    return problems + _disordered(found)


def _altered(record, event):
    expected = {
        "ce_id": event["id"],
        "ce_source": event["source"],
        "ce_type": event["type"],
        "ce_specversion": "1.0",
    }
    same = all(record.headers.get(name) == value for name, value in expected.items())
    key = event.get("orderingKey") or event.get("subject") or event.get("session") or "-"
    if not same or record.key != key:
        return True
    return "rawData" in event and json.loads(record.value) != event["rawData"]


def _disordered(records):
    """Records of a key are in one partition, and there in the order of the journal."""
    problems, places, last = [], {}, {}
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        if places.setdefault(record.key, record.partition) != record.partition:
            problems.append(f"key {record.key} is in partitions {places[record.key]} and {record.partition}")
        if record.sequence < last.get(record.key, 0):
            problems.append(f"key {record.key}: {record.sequence} comes after {last[record.key]}")
        last[record.key] = record.sequence
    return problems[:5]


def gap_problems(records, before, after):
    """A gap record in each partition, between the records of one epoch and those of the next."""
    problems = []
    for partition in {record.partition for record in records}:
        here = [record for record in records if record.partition == partition]
        gaps = [record for record in here if record.is_gap]
        if len(gaps) != 1:
            problems.append(f"partition {partition} has {len(gaps)} records of the gap")
            continue
        early = [r for r in here if r.epoch == before and not r.is_gap and r.offset > gaps[0].offset]
        late = [r for r in here if r.epoch == after and not r.is_gap and r.offset < gaps[0].offset]
        if early or late:
            problems.append(f"partition {partition}: the gap is not between the epochs")
        told = json.loads(gaps[0].value)
        if told.get("cause") != "CAUSE_EPOCH_CHANGED" or told.get("previous_epoch") != before:
            problems.append(f"partition {partition}: the gap says {told}")
    return problems
