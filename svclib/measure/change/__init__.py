"""When a KPI changed its level: onset and interval, what happened around then, and whether new limits are due."""
