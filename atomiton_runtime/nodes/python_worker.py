"""Executes the code of `python` nodes, one call after the other (a program of its own: it needs the stdlib alone).

Started as `PYTHON python_worker.py CHANNEL_FD FOLDER MAX_MEMORY_BYTES` with the flow's folder as its working
directory, under any CPython from 3.8 on. CHANNEL_FD is one end of a socket pair. A frame on it is 8 bytes of length
(big-endian), a letter, and that many bytes:

to here:   `c` a call: JSON `{"code": text or bytes, "file", "first_line", "function", "input", "vars"}`
from here: `h` ready
           `b` the call begins
           `r` its result: `.` or `!`, then the value as JSON, bytes as {"$bytes": base64}
           `e` it failed: `.` or `!`, then JSON `{"kind", "type", "message", "frames", ...}`

Each call executes the code in a module of its own. What it changed of the process is put back after it: working
directory, environment, `sys.path`, builtins, the standard streams; modules that are the user's own are forgotten, so
that the next call reads them again. Where something cannot be put back, or goes on, the answer has a `!`: then no
call must follow.
"""

import os
import sys

if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
    del sys.path[0]  # The folder of this file: its modules must hide none of the stdlib.
if sys.version_info < (3, 8):
    sys.exit("Python %d.%d is too old: a python node needs 3.8 or newer" % sys.version_info[:2])

import base64
import builtins
import datetime
import decimal
import faulthandler
import inspect
import json
import linecache
import math
import pathlib
import socket
import struct
import threading
import types
from collections.abc import Mapping

MAX_FRAME_BYTES = 1024 * 1024 * 1024
"""The largest input and the largest result, as JSON."""
MAX_DEPTH = 200
"""Deepest nesting of a value, as between all nodes."""
INT_MIN, INT_MAX = -(2**63), 2**64 - 1
MODULE = "flow_code"
"""The name of the module that the code of a call becomes."""
SHOWN_FRAMES = 12
SHOWN_CHARS = 4000
HEAD = struct.Struct(">Qc")


class Refused(Exception):
    """A call that cannot be made, or a result that cannot travel; carries the answer."""

    def __init__(self, kind, message, hint=None):
        super().__init__(message)
        self.answer = {"kind": kind, "message": message, "hint": hint}


def main(channel_fd, folder, max_memory):
    """Answer calls until the other end is closed."""
    os.set_inheritable(channel_fd, False)
    channel = socket.socket(fileno=channel_fd)
    if max_memory:
        limit_memory(max_memory)
    faulthandler.enable(open(os.dup(2), "w"))
    before = Before(folder)
    send(channel, b"h", b"")
    while True:
        call = receive(channel)
        if call is None:
            return
        letter, answer, dirty = answered(call, channel, before)
        del call
        if os.getpid() != before.pid:
            os._exit(0)  # A copy that the code forked and let return: it must not speak in our name.
        flush()
        dirty = before.restore() or dirty
        send(channel, letter + (b"!" if dirty else b"."), answer)


def answered(call, channel, before):
    """Make a call; return the letter of the answer, the answer, and whether this process must not be used again."""
    try:
        request = read_json(call)
        send(channel, b"b", b"")
        result = execute(request, before)
        answer = as_json(travelling(result, "result"))
        if len(answer) > MAX_FRAME_BYTES:
            raise Refused("too-large", "the result has %s bytes as JSON" % format(len(answer), ","))
        return b"r", answer, False
    except Refused as refused:
        return b"e", as_json(refused.answer), False
    except MemoryError as error:
        # What the code held is let go of before an answer is made.
        where = frames_of(error, before)
        error.__traceback__ = None
        return b"e", as_json({"kind": "memory", "message": str(error), "frames": where}), True
    except BaseException as error:
        return b"e", as_json(described(error, before)), False


# -- a call ------------------------------------------------------------------------------------------------------


def execute(request, before):
    """Return what the function of a request returns."""
    file, code = request["file"], request["code"]
    before.begin(request)
    module = types.ModuleType(MODULE)
    module.__file__ = file
    # Dataclasses, pickle and the like look their module up by its name.
    sys.modules[MODULE] = module
    lines = "\n" * (request["first_line"] - 1) if isinstance(code, str) else b""
    exec(compile(lines + code, file, "exec", dont_inherit=True), module.__dict__)
    function = getattr(module, request["function"], None)
    if function is None:
        raise Refused("no-function", "there is no function `%s`" % request["function"])
    result = call_with(function, request["function"], request["input"], request["vars"])
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    return result


def call_with(function, name, value, variables):
    """Call a function with what it takes of the input and the variables."""
    if not callable(function):
        raise Refused("signature", "`%s` is no function, but %s" % (name, kind_of(function)))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Some functions written in C do not tell.
        return function(value, variables)
    given = {"input": value, "vars": variables}
    arguments, named = arguments_for(signature, given)
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        shown = "`%s%s` cannot be called with the input and the variables" % (name, signature)
        raise Refused("signature", shown) from None
    return function(*arguments, **named)


def arguments_for(signature, given):
    """Return how to pass the input and the variables: by their names, or else the input first."""
    empty = inspect.Parameter.empty
    taken = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    others = [p for p in taken if p.default is empty and p.name not in given]
    if any(p.kind == p.POSITIONAL_ONLY for p in taken) or others or not taken:
        catches_all = any(p.kind == p.VAR_POSITIONAL for p in signature.parameters.values())
        count = 2 if catches_all else len([p for p in taken if p.default is empty])
        in_order = [p.name for p in taken][:2]
        if in_order[:1] == ["vars"] or in_order[1:] == ["input"]:
            count = -1  # The names say the opposite of the places.
        return list(given.values())[:count] if count >= 0 else [None] * 9, {}
    return [], {p.name: given[p.name] for p in taken if p.name in given}


# -- what a call leaves ------------------------------------------------------------------------------------------


class Before:
    """The process as it was before the first call."""

    def __init__(self, folder):
        self.pid = os.getpid()
        self.folder = folder
        self.file = ""
        self.roots = ()
        # Any folder of the stdlib or of installed packages; what is loaded from there stays.
        self.libraries = tuple({os.path.dirname(os.__file__), os.path.dirname(json.__file__)})
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self.streams = sys.stdin, sys.stdout, sys.stderr
        self.files = identities()
        self.path = [folder] + sys.path
        self.environment = dict(os.environ)
        self.modules = set(sys.modules)
        self.builtins = dict(vars(builtins))
        # It would lie between two versions of a file that were saved within a second.
        sys.dont_write_bytecode = True
        os.chdir(folder)

    def begin(self, request):
        """Prepare the next call."""
        self.file = request["file"]
        beside = os.path.dirname(self.file) if isinstance(request["code"], bytes) else self.folder
        self.roots = tuple({self.folder, beside})
        sys.path[:] = ([beside] if beside != self.folder else []) + self.path
        linecache.checkcache()
        for path, finder in list(sys.path_importer_cache.items()):
            if not self.is_library(path) and hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def restore(self):
        """Put back what can be put back; return whether something is left that cannot."""
        sys.stdin, sys.stdout, sys.stderr = self.streams
        sys.path[:] = self.path
        if vars(builtins) != self.builtins:
            vars(builtins).clear()
            vars(builtins).update(self.builtins)
        try:
            os.chdir(self.folder)
            if os.environ != self.environment:
                os.environ.clear()
                os.environ.update(self.environment)
        except OSError:
            return True
        self.forget_modules()
        return threading.active_count() > 1 or identities() != self.files or has_children()

    def forget_modules(self):
        """Forget the modules that are the user's own: they may be changed before the next call."""
        for name in set(sys.modules) - self.modules:
            module = sys.modules[name]
            file = getattr(module, "__file__", None)
            if file is None:
                folders = list(getattr(module, "__path__", ()))
                own = any(not self.is_library(each) for each in folders)
            else:
                # What is written in C is loaded once in the life of a process.
                own = not file.endswith((".so", ".pyd")) and not self.is_library(file)
            if own:
                del sys.modules[name]

    def is_library(self, path):
        """Return whether a path is one of the stdlib or of installed packages."""
        parts = path.replace("\\", "/").split("/")
        return path.startswith(self.libraries) or "site-packages" in parts or "dist-packages" in parts

    def is_own(self, path):
        """Return whether a path is one of the user's code."""
        if path == self.file:
            return True
        return any(path.startswith(root + os.sep) for root in self.roots) and not self.is_library(path)


def identities():
    """Return what the standard streams are, or None where one is closed."""
    found = []
    for number in (0, 1, 2):
        try:
            status = os.fstat(number)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found


def has_children():
    """Return whether this process has started others that were not waited for."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def flush():
    """Send off what was printed."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # Replaced or closed by the code.
            pass


def limit_memory(size_bytes):
    """Let this process have no more address space than this."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size_bytes, size_bytes))
    except (ImportError, OSError, ValueError) as error:
        sys.exit("the memory of a process cannot be limited here: %s" % error)


# -- failures ----------------------------------------------------------------------------------------------------


def described(error, before):
    """Return all about an exception that a flow's author needs to know."""
    answer = {"kind": "exception", "frames": frames_of(error, before), "causes": []}
    answer.update(named(error))
    if isinstance(error, SyntaxError) and error.filename and before.is_own(error.filename):
        answer["frames"].append([error.filename, error.lineno or 1, "", error.text or ""])
    cause = error
    while len(answer["causes"]) < 3:
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
        if cause is None:
            break
        answer["causes"].append(named(cause))
    return answer


def named(error):
    """Return an exception's type and message, its notes and the exceptions of its group."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = "%s.%s" % (kind.__module__, name)
    try:
        lines = [error.msg if isinstance(error, SyntaxError) else str(error)]
        lines += [str(note) for note in getattr(error, "__notes__", ())]
        inner = getattr(error, "exceptions", ())
        lines += ["- %s: %s" % (type(each).__name__, each) for each in list(inner)[:5]]
    except Exception as failed:
        lines = ["its message cannot be shown: %s" % type(failed).__name__]
    text = "\n".join(lines)
    return {"type": name, "message": text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "\u2026"}


def frames_of(error, before):
    """Return file, line, function and source line of the user's own frames, outermost first."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if before.is_own(code.co_filename):
            found.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    cut = len(found) - SHOWN_FRAMES
    if cut > 0:
        found = found[: SHOWN_FRAMES // 2] + [("", cut, "")] + found[-SHOWN_FRAMES // 2 :]
    return [[file, line, name, linecache.getline(file, line).strip()[:200]] for file, line, name in found]


# -- values ------------------------------------------------------------------------------------------------------


def travelling(value, place, depth=0):
    """Return a value in the form in which it is written as JSON.

    Raises:
        Refused: it cannot travel between nodes; the message names the place.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return whole(value, place)
    if kind is int:
        if not INT_MIN <= value <= INT_MAX:
            raise Refused("value", "%s is an integer of more than 64 bits" % place, "str() makes it text")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise Refused(
                "value", "%s is %s, which no JSON can express" % (place, value), "None travels as null"
            )
        return value
    if depth >= MAX_DEPTH:
        raise Refused("value", "the result is nested deeper than %d levels" % MAX_DEPTH)
    if isinstance(value, (list, tuple)):
        return [travelling(each, "%s[%d]" % (place, index), depth + 1) for index, each in enumerate(value)]
    if isinstance(value, Mapping):
        return table(value, place, depth)
    return converted(value, place, depth)


def table(value, place, depth):
    """Return a table whose keys are text."""
    copy = {}
    for key, each in value.items():
        if not isinstance(key, str):
            shown = "%s has the key %.60r, which is no text" % (place, key)
            raise Refused("value", shown, "{str(key): value for key, value in table.items()}")
        copy[whole(str.__str__(key), place)] = travelling(
            each, "%s[%s]" % (place, json.dumps(key)), depth + 1
        )
    return copy


def whole(text, place):
    """Return a text that can be written as UTF-8."""
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            shown = "%s holds half a character (a lone surrogate), which no file can keep" % place
            raise Refused("value", shown) from None
    return text


def converted(value, place, depth):
    """Return what stands for a value that JSON does not have."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, pathlib.PurePath):
        return whole(str(value), place)
    if isinstance(value, str):
        return whole(str.__str__(value), place)
    for plain in (int, float):
        if isinstance(value, plain):
            return travelling(plain(value), place, depth)
    raise Refused(
        "value", "%s is %s, which cannot travel between nodes" % (place, kind_of(value)), advice(value)
    )


def kind_of(value):
    """Return how a message calls the kind of a value."""
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ in ("builtins", "__main__")
        else kind.__module__ + "." + kind.__qualname__
    )
    return "%s %s" % ("an" if name[0] in "aeiou" else "a", name)


def advice(value):
    """Return what makes a value one that travels, or None."""
    if isinstance(value, (set, frozenset)):
        return "sorted(...) or list(...) makes it a list"
    if isinstance(value, decimal.Decimal):
        return "float(...) makes it a number, str(...) keeps every digit"
    if hasattr(value, "to_dict"):
        return '.to_dict("records") makes a table of pandas a list of objects'
    if hasattr(value, "tolist"):
        return ".tolist() makes plain values of numpy's"
    if hasattr(value, "__dataclass_fields__"):
        return "dataclasses.asdict(...) makes it an object"
    if hasattr(value, "__next__") or hasattr(value, "__iter__"):
        return "list(...) makes it a list"
    return "return None, True, False, numbers, text, bytes, lists and dicts"


# -- the channel -------------------------------------------------------------------------------------------------


def as_json(value):
    """Return a value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_json(raw):
    """Return the value that JSON stands for, with bytes where {"$bytes": ...} stands."""
    hook = restored if b'"$bytes"' in raw else None
    return json.loads(raw, object_hook=hook)


def restored(value):
    """Return the bytes that a table of one key stands for, or the table."""
    if len(value) == 1 and isinstance(value.get("$bytes"), str):
        try:
            return base64.b64decode(value["$bytes"], validate=True)
        except ValueError:  # Not base64: the table only looks like bytes.
            return value
    return value


def send(channel, letters, content):
    """Write a frame; the last of the letters follows its length."""
    channel.sendall(HEAD.pack(len(content) + len(letters) - 1, letters[:1]) + letters[1:])
    channel.sendall(content)


def receive(channel):
    """Return the content of the next frame; None: the other end is closed."""
    head = exactly(channel, HEAD.size)
    return None if head is None else exactly(channel, HEAD.unpack(head)[0])


def exactly(channel, count):
    """Return so many bytes, or None at the end."""
    content = bytearray(count)
    view = memoryview(content)
    while view:
        read = channel.recv_into(view, min(len(view), 1 << 20))
        if not read:
            return None
        view = view[read:]
    del view
    return content


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
