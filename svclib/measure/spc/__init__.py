"""Statistical process control: which chart, its limits and rules, what it signals and how sure that is."""
