"""Writing the three files anew: for `quintet init` and for the demo.

Names are those of the schema; one that it does not have is a KeyError, so that nothing is written that the
readers do not know.
"""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

from quintet.config.schema import KNOWN_INI
from quintet.config.setting import Setting
from quintet.config.xml_schema import ANYWHERE, CARD_SERVER, CARD_STORE, COMMON_FIELD, CONNECTION, DETAIL

_FOR_ALL = ("Name", "Company")
"""Fields that anonymous callers get, too."""

_ESCAPED = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
"""Blanks that the normalisation of attributes would lose (XML 1.0, 3.3.3)."""


def render_ini(keys: Mapping[str, str]) -> str:
    """sametime.ini with these keys, each in its section. [Config] and [Directory] are always there."""
    sections: dict[str, list[str]] = {"Config": [], "Directory": []}
    for key, value in keys.items():
        sections.setdefault(KNOWN_INI[key.casefold()].sections[0], []).append(f"{key}={value}\n")
    return "\n".join(f"[{name}]\n{''.join(lines)}" for name, lines in sections.items())


def render_community(connections: Sequence[Mapping[str, str]]) -> str:
    """StCommunityConfig.xml with these servers."""
    intervals = {name: setting.default for name, setting in ANYWHERE.items()}
    elements = "".join(f"    <Connection {_attributes(each, CONNECTION, 8)}/>\n" for each in connections)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<StCommunityConfig>
  <Settings {_attributes(intervals, ANYWHERE)}/>
  <LDAP>
{elements}  </LDAP>
</StCommunityConfig>
"""


def render_cards(
    servers: Sequence[Mapping[str, str]], store: Mapping[str, str], details: Mapping[str, str]
) -> str:
    """UserInfoConfig.xml with these servers, their trust store if there is one, and the fields of the cards.

    `details` gives the attributes of each field, comma-separated. Anonymous callers get name and company.
    """
    link = {name: setting.default for name, setting in COMMON_FIELD.items()}
    elements = "".join(f"      <StorageDetails {_attributes(each, CARD_SERVER, 10)}/>\n" for each in servers)
    if store:
        elements += f"      <SslProperties {_attributes(store, CARD_STORE, 10)}/>\n"
    fields = "".join(f"        <Detail {_attributes(_detail(*each), DETAIL)}/>\n" for each in details.items())
    public = ",".join(each for each in details if each in _FOR_ALL)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<UserInformation>
  <ReadStConfigUpdates value="false"/>
  <Resources>
    <Storage type="LDAP">
      <CommonField {_attributes(link, COMMON_FIELD)}/>
{elements}      <Details>
{fields}      </Details>
    </Storage>
  </Resources>
  <ParamsSets>
    <Set SetId="0" params="{public}"/>
    <Set SetId="1" params="{",".join(details)}"/>
  </ParamsSets>
</UserInformation>
"""


def _detail(field: str, attributes: str) -> dict[str, str]:
    values = {"Id": field, "FieldName": attributes}
    values["Type"] = "image/jpeg" if field == "Photo" else DETAIL["Type"].default
    if "," in attributes:
        values["DisplaySeparator"] = " / "
    return values


def _attributes(values: Mapping[str, str], known: Mapping[str, Setting], indent: int | None = None) -> str:
    """The attributes on one line; with `indent`, each on a line of its own."""
    gap = " " if indent is None else "\n" + " " * indent
    return gap.join(f"{known[name].name}={quoteattr(value, _ESCAPED)}" for name, value in values.items())
