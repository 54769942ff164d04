"""Who may do what on the page: four roles, and the visitor who is not signed in.

Owns: the roles and the sets of them that routes name. Never: knows a route (each names its own set, and a route that
names none can't be made: edgebox/web/routes.py).
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is to the shop. NOBODY: a visitor who has not signed in."""

    OWNER = "owner"
    MANAGER = "manager"
    CASHIER = "cashier"
    INSTALLER = "installer"
    NOBODY = "nobody"


PEOPLE = (Role.OWNER, Role.MANAGER, Role.CASHIER, Role.INSTALLER)

OWNERS = frozenset({Role.OWNER})
MANAGERS = frozenset({Role.OWNER, Role.MANAGER})
STAFF = frozenset({Role.OWNER, Role.MANAGER, Role.CASHIER})  # who works at the counter
INSTALLERS = frozenset({Role.OWNER, Role.INSTALLER})  # who has to do with the box, not with the takings
OFFICE = frozenset({Role.OWNER, Role.MANAGER, Role.INSTALLER})
SIGNED_IN = frozenset(PEOPLE)
PUBLIC = frozenset(Role)  # also who is not signed in
