"""Whether a database URL is one of those that Quintet understands. Opens nothing, shows no password."""

from urllib.parse import urlsplit

KINDS = ("sqlite", "postgresql", "postgres")
EXAMPLES = "sqlite:///quintet.db or postgresql://USER:PASSWORD@HOST/DATABASE"


def problem_of(url: str) -> str | None:
    """What is wrong with it, without any part that may be secret; None for a URL that can be used."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    kind = parts.scheme.partition("+")[0]
    if not kind or "://" not in url:
        return "is not a URL"
    if kind not in KINDS:
        return "names a kind of database that is not supported"
    if kind == "sqlite":
        return _problem_of_file(parts.netloc, parts.path)
    return None if parts.path.strip("/") else "names no database"


def _problem_of_file(host: str, path: str) -> str | None:
    if host:
        return "has two slashes where SQLite needs three"
    return "names no file" if path in ("", "/", "/:memory:") else None
