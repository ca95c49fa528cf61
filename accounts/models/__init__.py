"""Who asks: people and teams, how they come in, what they sign in with, what they sent and what was done. One file per noun."""

from __future__ import annotations

from accounts.models.audit import AuditEvent
from accounts.models.credentials import ApiKey, LoginSession, RefreshToken
from accounts.models.entry import Invitation, OneTimeLink, Registration
from accounts.models.mail import Mail
from accounts.models.people import (
    LooksTold,
    Membership,
    Organisation,
    SecondFactor,
    Team,
    Theme,
    UsageShown,
    User,
    UserManager,
)
from accounts.models.privacy import Erasure, HeldPerson, LegalHold, Opening
from accounts.models.site import Announcement, AnnouncementRead, Logo, RulesAgreement, RulesVersion
from accounts.models.sso import SsoConnection, SsoLogout, SsoTeam
from accounts.models.tries import Notice, Tries

__all__ = [
    "Announcement",
    "AnnouncementRead",
    "ApiKey",
    "AuditEvent",
    "Erasure",
    "HeldPerson",
    "Invitation",
    "LegalHold",
    "LoginSession",
    "Logo",
    "LooksTold",
    "Mail",
    "Membership",
    "Notice",
    "OneTimeLink",
    "Opening",
    "Organisation",
    "RefreshToken",
    "Registration",
    "RulesAgreement",
    "RulesVersion",
    "SecondFactor",
    "SsoConnection",
    "SsoLogout",
    "SsoTeam",
    "Team",
    "Theme",
    "Tries",
    "UsageShown",
    "User",
    "UserManager",
]
