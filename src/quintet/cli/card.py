"""`quintet card`: somebody's business card, as clients get it."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from quintet.cards.cards import Card, Cards
from quintet.cards.fields import Field
from quintet.cards.sets import ANONYMOUS, AUTHENTICATED
from quintet.cli.app import app
from quintet.cli.exits import Exit, Wrong
from quintet.cli.setting import run, settings_of
from quintet.cli.show import AsJson, asking, out, print_json, say, table, text, warn
from quintet.config.settings import CardSettings


@app.command()
def card(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A DN, an ID, or a name that the search filter finds.")],
    set_id: Annotated[
        int,
        typer.Option("--set", min=ANONYMOUS, max=AUTHENTICATED, help="0: as anonymous askers see it."),
    ] = AUTHENTICATED,
    photo: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the photo there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show somebody's business card."""
    settings = settings_of(context)
    if settings.cards is None:
        raise Wrong("business cards are off", "put UserInfoConfig.xml into the folder of the settings")
    with asking(name, as_json=as_json, no={"id": None, "fields": {}}):
        found = run(_card(settings.cards, name, set_id))
    if as_json:
        print_json(
            {"id": found.id, "fields": {ident: _value(field) for ident, field in found.fields.items()}}
        )
    else:
        _print_card(found)
    for server in found.unavailable:
        warn(f"{server} could not be asked, so the card may lack something")
    if photo is not None:
        _save_photo(found, photo)


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


def _save_photo(card: Card, path: Path) -> None:
    picture = next((field for field in card.fields.values() if isinstance(field.value, bytes)), None)
    if picture is None or not isinstance(picture.value, bytes):
        warn("the card has no photo, so nothing was written")
        raise typer.Exit(Exit.NO)
    path.write_bytes(picture.value)
    say(f"The photo ({picture.type}) is in {path}.")
