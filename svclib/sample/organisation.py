"""Who the sample organisation is: its departments, what reaches them, and how well they usually do."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "Harbour Services (sample)"
TIME_ZONE = "Europe/London"

CHANNELS = ("Phone", "E-mail", "Chat", "Portal")
PRIORITIES = ("P1 Critical", "P2 High", "P3 Normal", "P4 Low")
CUSTOMERS = ("Household", "Business", "Public sector")


@dataclass(frozen=True)
class Levels:
    """What a department reaches in a usual month."""

    response: float  # mean hours to the first response
    resolution: float  # median hours to the resolution
    fcr: float  # share resolved at first contact
    escalation: float  # share escalated
    handoffs: float  # mean hand-offs a case
    csat: float  # share of answers 4 and 5
    audit: float  # share of audit checks passed
    training: float  # share of due trainings completed, before the e-learning platform
    outages: float  # outages a month
    minutes: float  # median minutes of an outage
    complaints: float  # complaints per 1,000 cases
    absence: float  # share of planned hours lost


@dataclass(frozen=True)
class Desk:
    """A department of the sample."""

    code: str
    name: str
    queue: str  # its name in the ticket system
    cases: int  # a month
    categories: dict[str, float]
    channels: tuple[float, ...]
    priorities: tuple[float, ...]
    customers: tuple[float, ...]
    levels: Levels


def _shares(**shares: float) -> dict[str, float]:
    return {name.replace("_", " "): share for name, share in shares.items()}


DESKS: tuple[Desk, ...] = (
    Desk(
        "D01", "Customer support", "CUSTOMER SUPPORT", 1110,
        _shares(Login_and_access=0.34, Orders=0.18, Delivery=0.16, Product_question=0.14, Account_change=0.10, Feedback=0.08),
        (0.28, 0.20, 0.34, 0.18), (0.03, 0.15, 0.57, 0.25), (0.70, 0.24, 0.06),
        Levels(2.6, 16, 0.73, 0.100, 0.70, 0.82, 0.90, 0.82, 2.6, 24, 1.5, 0.060),
    ),
    Desk(
        "D02", "Field service", "FIELD SERVICE", 500,
        _shares(Breakdown=0.30, Maintenance_visit=0.22, Meter_exchange=0.16, Leak=0.12, Inspection=0.12, Spare_part=0.08),
        (0.46, 0.18, 0.10, 0.26), (0.06, 0.22, 0.50, 0.22), (0.55, 0.30, 0.15),
        Levels(4.8, 40, 0.62, 0.140, 1.10, 0.80, 0.88, 0.78, 2.2, 30, 2.4, 0.070),
    ),
    Desk(
        "D03", "Billing", "BILLING", 600,
        _shares(Invoice_error=0.28, Payment_plan=0.18, Refund=0.17, Tariff_question=0.15, Direct_debit=0.13, Reminder=0.09),
        (0.34, 0.30, 0.14, 0.22), (0.02, 0.12, 0.58, 0.28), (0.66, 0.28, 0.06),
        Levels(5.2, 30, 0.68, 0.120, 0.85, 0.79, 0.93, 0.84, 1.8, 22, 2.2, 0.055),
    ),
    Desk(
        "D04", "IT service desk", "IT SERVICE DESK", 700,
        _shares(Access_and_passwords=0.28, Hardware=0.18, Software_request=0.17, Business_applications=0.15, Network=0.12, Printing=0.10),
        (0.30, 0.16, 0.18, 0.36), (0.05, 0.20, 0.50, 0.25), (0.08, 0.74, 0.18),
        Levels(2.2, 14, 0.74, 0.110, 0.80, 0.78, 0.92, 0.85, 3.2, 26, 0.9, 0.045),
    ),
    Desk(
        "D05", "Installations", "INSTALLATIONS", 340,
        _shares(New_connection=0.32, Relocation=0.20, Upgrade=0.18, Appointment=0.14, Damage=0.09, Documents=0.07),
        (0.40, 0.26, 0.12, 0.22), (0.03, 0.17, 0.55, 0.25), (0.58, 0.32, 0.10),
        Levels(6.0, 52, 0.58, 0.115, 1.05, 0.80, 0.87, 0.80, 1.6, 28, 2.6, 0.065),
    ),
    Desk(
        "D06", "Returns and repairs", "RETURNS REPAIRS", 420,
        _shares(Repair=0.31, Return=0.25, Warranty=0.17, Exchange=0.12, Transport_damage=0.09, Lost_parcel=0.06),
        (0.30, 0.30, 0.18, 0.22), (0.02, 0.14, 0.58, 0.26), (0.74, 0.22, 0.04),
        Levels(5.6, 44, 0.64, 0.130, 0.83, 0.77, 0.89, 0.81, 1.9, 25, 2.9, 0.060),
    ),
    Desk(
        "D07", "Facilities", "FACILITIES", 280,
        {"Heating and cooling": 0.26, "Cleaning": 0.22, "Access cards": 0.18, "Rooms and moves": 0.15, "Café and catering": 0.10, "Safety": 0.09},
        (0.32, 0.28, 0.06, 0.34), (0.04, 0.16, 0.52, 0.28), (0.04, 0.76, 0.20),
        Levels(4.2, 26, 0.70, 0.090, 0.75, 0.84, 0.94, 0.86, 1.3, 20, 0.8, 0.050),
    ),
    Desk(
        "D08", "HR services", "HR SERVICES", 240,
        _shares(Payroll=0.28, Leave=0.24, Contracts=0.16, Benefits=0.14, Recruiting=0.10, Certificates=0.08),
        (0.24, 0.42, 0.06, 0.28), (0.02, 0.13, 0.55, 0.30), (0.03, 0.72, 0.25),
        Levels(4.6, 28, 0.69, 0.080, 0.65, 0.83, 0.95, 0.88, 1.1, 18, 0.7, 0.045),
    ),
)  # fmt: skip

CODES = tuple(desk.code for desk in DESKS)
POSITION = {code: position for position, code in enumerate(CODES)}
