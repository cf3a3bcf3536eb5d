"""Which fields of a card somebody may see (reference 4.5)."""

from collections.abc import Iterable

from quintet.config import CardSettings

ANONYMOUS = 0
AUTHENTICATED = 1


def ids_in_set(settings: CardSettings, set_id: int) -> tuple[str, ...]:
    """The Detail Ids of a set, in its order; those without a Detail are dropped. An unknown set has none."""
    known = {detail.id for storage in settings.storages for detail in storage.details}
    return tuple(ident for ident in dict.fromkeys(settings.sets.get(set_id, ())) if ident in known)


def ids_to_show(
    settings: CardSettings, *, set_id: int, only: Iterable[str] | None = None, authenticated: bool
) -> tuple[str, ...]:
    """The Detail Ids that an asker gets: those of the set, or any that were asked for by Id with `only`.

    Anonymous askers get nothing that is not in set 0, whatever they ask for.
    """
    if not authenticated:
        public = ids_in_set(settings, ANONYMOUS)
        return public if only is None else tuple(ident for ident in dict.fromkeys(only) if ident in public)
    if only is None:
        return ids_in_set(settings, set_id)
    known = {detail.id for storage in settings.storages for detail in storage.details}
    return tuple(ident for ident in dict.fromkeys(only) if ident in known)
