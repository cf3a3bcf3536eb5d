"""`quintet card`: somebody's business card, as clients get it."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from quintet.cards.cards import Card, Cards
from quintet.cards.fields import Field
from quintet.cards.sets import ANONYMOUS, AUTHENTICATED
from quintet.cli.app import app
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import AsJson, asking, out, print_json, say, table, text, warn
from quintet.config import CardSettings
from quintet.files import replace_file


@app.command()
def card(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A DN, an ID, or a name that the search filter finds.")],
    set_id: Annotated[
        int,
        typer.Option("--set", min=ANONYMOUS, max=AUTHENTICATED, help="0: as anonymous askers see it."),
    ] = AUTHENTICATED,
    photo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the photo to this new file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show somebody's business card.

    Exit code 1 when a photo is asked for, and the card has none. FILE is readable by you alone, unless it was
    there before.
    """
    if photo is not None:
        _check_target(photo, force=force)
    settings = settings_of(context)
    if settings.cards is None:
        raise UsageError("business cards are off", "put UserInfoConfig.xml into the folder of the settings")
    with asking(name, as_json=as_json, no={"id": None, "fields": {}}):
        found = run(_card(settings.cards, name, set_id))
    picture = next((field for field in found.fields.values() if isinstance(field.value, bytes)), None)
    if photo is not None and picture is not None:
        _save(picture, photo)
    if as_json:
        print_json(
            {"id": found.id, "fields": {ident: _value(field) for ident, field in found.fields.items()}}
        )
    else:
        _print_card(found)
    for server in found.unavailable:
        warn(f"{server} could not be asked, so the card may lack something")
    if photo is not None and picture is None:
        warn(f"the card of {found.id} has no photo, so nothing was written")
        raise typer.Exit(ExitCode.NO)


async def _card(settings: CardSettings, name: str, set_id: int) -> Card:
    async with Cards(settings) as cards:
        return await cards.card(name, set_id=set_id, authenticated=set_id != ANONYMOUS)


def _value(field: Field) -> Any:
    """Text as it is; a picture with its type."""
    if isinstance(field.value, str):
        return field.value
    return {"type": field.type, "base64": base64.b64encode(field.value).decode()}


def _print_card(card: Card) -> None:
    shown = table("", "")
    shown.show_header = False
    for ident, field in card.fields.items():
        if isinstance(field.value, str):
            shown.add_row(text(ident, "bold"), text(", ".join(field.value.splitlines())))
        else:
            shown.add_row(text(ident, "bold"), text(f"{field.type}, {len(field.value)} octets", "dim"))
    out().print(text(card.id, "bold"))
    out().print(shown)


def _check_target(path: Path, *, force: bool) -> None:
    """Before anybody is asked, so that a card is not looked up for nothing. Raises Wrong."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}", "make it, or name another file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is there, and is no file", "name another one")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "name another file, or replace it with --force")


def _save(picture: Field, path: Path) -> None:
    assert isinstance(picture.value, bytes)
    try:
        replace_file(path, picture.value)
    except OSError as error:
        raise UsageError(
            f"the photo cannot be written to {path}: {error.strerror}", "name another file"
        ) from error
    say(f"The photo ({picture.type}) is in {path}.")
