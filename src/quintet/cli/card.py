"""`quintet card`: a person's business card, as clients get it."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from quintet.cards import ANONYMOUS, AUTHENTICATED, Card, Cards, Field
from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.report_error import negative_answer
from quintet.cli.show import AsJson, Force, print_fields, print_json, print_line, say, text, warn
from quintet.config import Settings
from quintet.files import check_output, write_output


@command
def card(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A DN, an ID, or a name that the search filter finds.")
    ],
    set_id: Annotated[
        int,
        typer.Option(
            "--set",
            min=ANONYMOUS,
            max=AUTHENTICATED,
            metavar="0|1",
            help="0: the fields for anonymous callers.",
        ),
    ] = AUTHENTICATED,
    photo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the photo to this new file.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Exit code 1 when a photo is asked for and the card has none.

    A new FILE is readable by its owner only.
    """
    if photo is not None:
        check_output(photo, overwrite=force)
    settings = settings_of(context, account_warnings=False)
    if settings.cards is None:
        raise UsageError("business cards are off", "put UserInfoConfig.xml in the folder with the settings")
    with negative_answer(name, as_json=as_json, document={"id": None, "fields": {}}):
        found = run(_card(settings, name, set_id))
    picture = next((field for field in found.fields.values() if isinstance(field.value, bytes)), None)
    if photo is not None and picture is not None:
        assert isinstance(picture.value, bytes)
        write_output(photo, picture.value, overwrite=force)
        say(f"Photo ({picture.type}) written to {photo}.")
    if as_json:
        print_json(
            {"id": found.id, "fields": {ident: _value(field) for ident, field in found.fields.items()}}
        )
    else:
        _print_card(found)
    for server in found.unavailable:
        warn(f"{server} could not be reached, so the card may be incomplete")
    if photo is not None and picture is None:
        warn(f"the card of {found.id} has no photo; nothing was written")
        raise typer.Exit(ExitCode.NO)


async def _card(settings: Settings, name: str, set_id: int) -> Card:
    async with Cards(settings) as cards:
        return await cards.card(name, set_id=set_id, authenticated=set_id != ANONYMOUS)


def _value(field: Field) -> Any:
    """Text as it is; a picture with its type."""
    if isinstance(field.value, str):
        return field.value
    return {"type": field.type, "base64": base64.b64encode(field.value).decode()}


def _print_card(card: Card) -> None:
    print_line(text(card.id, "bold"))
    if card.fields:
        print_fields((ident, _shown(field)) for ident, field in card.fields.items())


def _shown(field: Field) -> Text:
    if isinstance(field.value, str):
        return text(", ".join(field.value.splitlines()))
    return text(f"{field.type}, {len(field.value)} bytes", "dim")
