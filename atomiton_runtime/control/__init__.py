"""Lets one process ask another's runtime.

In `<data>/processes`, for a process named `P`: `P.lock` is held as an OS lock for the life of the process (so
liveness needs no process id, which another program may inherit), `P.door` says where to knock and with which token,
`P.sock` is the door itself. Where a Unix socket is impossible (Windows, or a path longer than the kernel's 107
bytes) the door is a port on 127.0.0.1. The folder is for its owner only, and so are its files.

A conversation is two lines: the token, a blank and the request (JSON) one way, the response (JSON) the other. Where the
request asks for that, the run's events follow the response, a line each (`run.events.encode_event`), until its last.
"""
