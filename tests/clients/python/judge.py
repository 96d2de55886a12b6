"""Compares what a client program wrote with the whole journal: lost, doubled, disordered, altered. Pure."""

import dataclasses


@dataclasses.dataclass
class Verdict:
    """What is wrong, by its number, and the first of it in words."""

    repeated: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    altered: int = 0
    first: str = ""

    def note(self, what):
        self.first = self.first or what


def sound(events, issued):
    """The ids of a journal by sequence; ends where it has holes, or not all that the platform issued."""
    for place, event in enumerate(events, 1):
        if event["sequence"] != place:
            raise ValueError(f"the journal has {event['sequence']} where {place} was next")
    numbers = [event["providerSequence"] for event in events if event.get("providerSequence")]
    if numbers != list(range(1, issued + 1)):
        missing = sorted(set(range(1, issued + 1)) - set(numbers))[:5]
        raise ValueError(
            f"the platform issued {issued} events, the journal has {len(numbers)}; missing {missing}"
        )
    return [event["id"] for event in events]


def judge(epoch, ids, lines, marks, end):
    """`lines` of one client against the `ids` of the journal, of which it has to have those up to `end`.
    At a mark the program was killed: from there on, what lies behind the position that it had stored
    comes again, and nothing else may."""
    verdict, missing, wanted = Verdict(), set(), 1
    for place, line in enumerate(lines):
        if place in marks:
            if marks[place] >= wanted:
                missing.update(range(wanted, marks[place] + 1))
                verdict.note(f"stored {marks[place]} before {wanted} was written (line {place + 1})")
            verdict.repeated += max(0, wanted - 1 - marks[place])
            wanted = marks[place] + 1
        words = line.split(" ", 2)
        sequence = int(words[1]) if len(words) == 3 and words[1].isdigit() else 0
        if not 1 <= sequence <= len(ids) or words[0] != epoch or words[2] != ids[sequence - 1]:
            verdict.altered += 1
            verdict.note(f"line {place + 1} is no event of the journal: {line!r}")
        elif sequence == wanted:
            wanted += 1
        elif sequence > wanted:
            verdict.note(f"line {place + 1} is {sequence} where {wanted} was next")
            missing.update(range(wanted, sequence))
            wanted = sequence + 1
        elif sequence in missing:
            verdict.disordered += 1
            verdict.note(f"line {place + 1} is {sequence}, after {wanted - 1}")
            missing.remove(sequence)
        else:
            verdict.doubled += 1
            verdict.note(f"line {place + 1} is {sequence} again")
    if wanted <= end:
        verdict.note(f"the last line is {wanted - 1}, the journal goes on to {end}")
        missing.update(range(wanted, end + 1))
    verdict.lost = len(missing)
    return verdict


PLANTS = ("lose", "double", "swap")


def damage(how, lines, marks):
    """The same lines and marks with one fault in the middle, away from any mark."""
    middle = len(lines) // 2
    quiet = (
        place
        for place in sorted(range(1, len(lines) - 2), key=lambda place: abs(place - middle))
        if not marks.keys() & set(range(place - 1, place + 3))
    )
    place = next(quiet, None)
    if place is None:
        raise ValueError(f"{len(lines)} lines leave no room for a planted fault")
    here, after = lines[place], lines[place + 1]
    put, shift = {
        "lose": ([after], -1),
        "double": ([here, here, after], 1),
        "swap": ([after, here], 0),
    }[how]
    moved = {mark + shift if mark > place else mark: stored for mark, stored in marks.items()}
    return lines[:place] + put + lines[place + 2 :], moved
