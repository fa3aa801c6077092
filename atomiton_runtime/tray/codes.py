"""Lists the codes of the errors that the tray itself can meet."""

CODES: dict[str, str] = {
    "TRAY-001": "No session bus answers: there is no icon until there is one; flows run on save meanwhile.",
    "TRAY-002": "The desktop shows no tray: there is no icon until it does; flows run on save meanwhile.",
    "TRAY-003": "The session bus went away: the session has ended, and so does the tray.",
    "TRAY-004": "A click came for a menu entry that is gone; nothing was done.",
    "TRAY-005": "A click's action failed.",
    "TRAY-006": "Too many clicks wait for an answer; this one was not taken.",
    "TRAY-007": "A notification could not be shown.",
    "TRAY-008": "Start at login could not be switched.",
    "TRAY-009": "A file or folder could not be opened on the desktop.",
    "TRAY-010": "Another tray runs for this data folder.",
    "TRAY-011": "A flow needs variables that have no default: the tray cannot ask for them.",
    "TRAY-012": "The data folder cannot be used.",
}
