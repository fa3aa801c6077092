"""Decides which servers a TLS connection trusts."""

import os
import ssl
from functools import lru_cache
from pathlib import Path

import httpcore2

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.paths import resolved

_PROTOCOLS = ["http/1.1"]


def trusting(verify: bool | str, folder: Path) -> ssl.SSLContext:
    """Return what checks a server's certificate; kept from one request to the next, since it is costly to make.

    Args:
        verify: true: what this system trusts; false: everybody; else the path of a file of certificates, and
            those alone are trusted.
        folder: what a relative path is relative to.

    Raises:
        NodeError: the file cannot be read (FILE-0xx), or holds no certificates (HTTP-018).
    """
    if verify is False:
        return _everybody()
    if verify is True:
        return _system(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    path = resolved(verify, folder, "verify")
    try:
        status = path.stat()
        return _only(path, status.st_mtime_ns, status.st_size)
    except ssl.SSLError as error:
        hint = "it must hold certificates in PEM form: -----BEGIN CERTIFICATE-----"
        raise NodeError("HTTP-018", f"`verify`: {path} holds no certificates", hint=hint) from error
    except OSError as error:
        raise explained(error, path) from error


@lru_cache(maxsize=1)
def _everybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(_PROTOCOLS)
    return context


@lru_cache(maxsize=4)
def _system(file: str | None, folder: str | None) -> ssl.SSLContext:
    try:
        context = httpcore2.default_ssl_context()
    except OSError as error:
        place = f"SSL_CERT_FILE={file}" if file else f"SSL_CERT_DIR={folder}"
        raise NodeError(
            "HTTP-018", f"the certificates that this system trusts cannot be read: {place}"
        ) from error
    context.set_alpn_protocols(_PROTOCOLS)
    return context


@lru_cache(maxsize=16)
def _only(path: Path, changed_ns: int, size_bytes: int) -> ssl.SSLContext:
    del changed_ns, size_bytes  # A file that was replaced is read again.
    context = ssl.create_default_context(cafile=path)
    context.set_alpn_protocols(_PROTOCOLS)
    return context
