"""Whether settings would work: every connection that they ask for is opened, and closed again."""

from quintet.cards.cards import Cards
from quintet.config import Settings
from quintet.directory.directory import Directory
from quintet.directory.errors import DirectoryError


async def refusals(settings: Settings, *, cards: bool = True) -> tuple[str, ...]:
    """Why connections fail, one sentence each; empty when all open. `cards`: those of the cards as well."""
    try:
        async with Directory(settings) as directory:
            statuses = await directory.connect_all()
        if cards and settings.cards is not None:
            async with Cards(settings.cards) as card_connections:
                statuses += await card_connections.connect_all()
    except DirectoryError as error:
        return (str(error),)
    failed = {str(status.error): status for status in statuses if status.failed}
    return tuple(f"{status.task}: {error}" for error, status in failed.items())
