"""Lists the codes of the errors that the tray itself can meet."""

CODES: dict[str, str] = {
    "TRAY-001": "no session bus answers: there is no icon until there is one; flows run on save meanwhile",
    "TRAY-002": "the desktop shows no tray: there is no icon until it does; flows run on save meanwhile",
    "TRAY-003": "the session bus went away: the session has ended, and so does the tray",
    "TRAY-004": "a click came for a menu entry that is gone; nothing was done",
    "TRAY-005": "a click's action failed",
    "TRAY-006": "too many clicks wait for an answer; this one was not taken",
    "TRAY-007": "a notification could not be shown",
    "TRAY-008": "start at login could not be switched",
    "TRAY-009": "a file or folder could not be opened on the desktop",
    "TRAY-010": "another tray runs for this data folder",
    "TRAY-011": "a flow needs variables that have no default: the tray cannot ask for them",
    "TRAY-012": "the data folder cannot be used",
}
