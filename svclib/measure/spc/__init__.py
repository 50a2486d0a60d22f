"""Statistical process control: which chart, its limits and rules, what it signals and how sure that is."""

#: A rule of a chart fires more often than a reader thinks; a change whose whole evidence is weaker may be chance.
BEYOND_CHANCE = 0.01
#: States of a KPI whose latest period that counts signals.
SIGNALS = frozenset({"concern", "improvement", "neutral"})
RARELY = 0.1  # a chance up to this is no hit and miss any more


def expectation(assurance: str, chance: float | None) -> str:
    """What to expect of a target: its assurance, or ``mostly_pass`` and ``mostly_fail``.

    These are for a target inside the limits that nine periods in ten will meet, or miss.

    >>> expectation("hit_or_miss", 0.01), expectation("hit_or_miss", 0.4), expectation("pass", None)
    ('mostly_fail', 'hit_or_miss', 'pass')
    """
    if assurance == "hit_or_miss" and chance is not None and min(chance, 1 - chance) <= RARELY:
        return "mostly_pass" if chance > 0.5 else "mostly_fail"
    return assurance
