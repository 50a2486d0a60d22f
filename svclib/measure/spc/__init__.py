"""Statistical process control: which chart, its limits and rules, what it signals and how sure that is."""

#: A rule of a chart fires more often than a reader thinks; a change whose whole evidence is weaker may be chance.
BEYOND_CHANCE = 0.01
#: States of a KPI whose latest period that counts signals.
SIGNALS = frozenset({"concern", "improvement", "neutral"})
