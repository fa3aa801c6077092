"""Lists the codes of what can go wrong between a user's terminal and the runtime."""

CODES: dict[str, str] = {
    "CLI-001": "the command line cannot be understood",
    "CLI-002": "a value does not fit an option of the command",
    "CLI-003": "a `--var` has no value",
    "CLI-010": "the file exists already and is not overwritten",
    "CLI-011": "the name cannot be the name of a flow file",
    "CLI-012": "the file cannot be written",
    "CLI-013": "there is no such node type",
    "CLI-014": "there is nothing to check at this path",
    "CLI-015": "the run was told to end but has not ended yet",
    "CLI-016": "the output of the command cannot be written",
    "CLI-018": "the system gives the process no thread or no memory",
    "CLI-019": "the file to import cannot be read",
    "CLI-020": "the process that executes the run does not answer",
    "CLI-021": "a request between two processes cannot be understood",
    "CLI-022": "a request between two processes failed inside the runtime",
    "CLI-023": "this process cannot be reached by other processes",
    "CLI-099": "a fault of atomiton itself",
    "CLI-024": "a run was left to the process that executes it, which is cancelling it",
    "CLI-025": "the owner of the data folder runs the flows of another folder",
    "CLI-026": "there is no earlier run to compare with",
}
