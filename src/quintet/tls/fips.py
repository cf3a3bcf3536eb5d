"""Whether the TLS library keeps to FIPS 140. Python cannot make it do so, only ask."""

import importlib


def fips_is_active() -> bool:
    """Whether OpenSSL uses approved algorithms only, by its own configuration (`openssl.cnf`)."""
    try:
        library = importlib.import_module("_hashlib")  # where Python asks; there is no public name for it
    except ImportError:
        return False
    return bool(library.get_fips_mode())
