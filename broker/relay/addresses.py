"""IP addresses as configuration files and URLs have them."""

import ipaddress


def bracketed(host: str) -> str:
    """Write an address so that a port may follow (RFC 3986 §3.2.2)."""
    return f"[{host}]" if ":" in host else host


def reached(host: str) -> str:
    """Tell where a server that listens on `host` is reached from this machine; "all addresses" is none to call."""
    if (address := ipaddress.ip_address(host)).is_unspecified:
        return "127.0.0.1" if isinstance(address, ipaddress.IPv4Address) else "[::1]"
    return bracketed(host)
