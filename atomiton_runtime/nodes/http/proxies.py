"""Finds the proxy that a request goes through, as the environment says."""

import ipaddress
import urllib.request

import httpx2

from atomiton_runtime.nodes.base import NodeError


def proxy_for(url: httpx2.URL) -> httpx2.URL | None:
    """Return the proxy for a URL; None: there is none for it.

    `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are read at each request, in upper or lower case; where
    they are not set, the settings of Windows and macOS. This machine itself is never asked for through a proxy.

    Raises:
        NodeError: it is none that can be used (HTTP-017).
    """
    proxies = urllib.request.getproxies()
    text = proxies.get(url.scheme) or proxies.get("all")
    if not text or _is_exempt(url, proxies.get("no", "")):
        return None
    try:
        proxy = httpx2.URL(text if "://" in text else f"http://{text}")
    except httpx2.InvalidURL as error:
        raise NodeError("HTTP-017", f"the proxy that the environment names is no URL: {error}") from error
    if proxy.scheme not in ("http", "https") or not proxy.host:
        message = f"the proxy that the environment names cannot be used: {proxy.scheme}://{proxy.host}"
        raise NodeError(
            "HTTP-017", message, hint="only http and https proxies can; see HTTP_PROXY and NO_PROXY"
        )
    return proxy


def _is_exempt(url: httpx2.URL, exempt: str) -> bool:
    address = _address(url.host)
    if url.host == "localhost" or url.host.endswith(".localhost") or (address and address.is_loopback):
        return True
    networks = (_network(word) for word in exempt.split(","))
    if address and any(network and address in network for network in networks):
        return True
    place = f"{url.host}:{url.port}" if url.port else url.host
    return bool(urllib.request.proxy_bypass(place))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(word.strip(), strict=False)
    except ValueError:
        return None
