"""Reading UserInfoConfig.xml (reference 4): where business cards come from and what they show."""

from collections.abc import Iterator
from pathlib import Path

from quintet.config.accounts import read_account, read_encoded
from quintet.config.card_fields import CardFields
from quintet.config.parsers import (
    Value,
    attribute,
    check_ports,
    choice,
    flag,
    hosts,
    name,
    number,
    port,
    template,
)
from quintet.config.schema import CARD_SERVER_SETTINGS, XmlSetting
from quintet.config.settings import Account, CardServer, CardSettings, CardStorage, Scope
from quintet.config.xml_document import Element
from quintet.config.xml_names import check_card_names
from quintet.config.xml_tree import one_value, own_values, read_tree
from quintet.diagnostics import Diagnostics, Place, shown
from quintet.secret import Secret
from quintet.tls import Origin, SettingNames, StoreKind, StoreLocation, TlsSettings

FILE = "UserInfoConfig.xml"

_SETTINGS: dict[str, XmlSetting] = {setting.name: setting for setting in CARD_SERVER_SETTINGS}
_SCOPES = {"0": Scope.BASE, "1": Scope.ONE, "2": Scope.SUBTREE}
_LINK = "MailAddress"
# Cards take nothing of sametime.ini (reference 4.3).
_KEYS = SettingNames(host=f"HostName in {FILE}", store=f"SslProperties in {FILE}", prefix=None)
# SearchTimeout has no documented unit. So many seconds nobody waits: they must be milliseconds.
_MILLISECONDS = 1000


def read_user_info(data: bytes, folder: Path, findings: Diagnostics, file: str = FILE) -> CardSettings | None:
    """The settings in `data`; None when it is unreadable or names no server. Paths count from `folder`."""
    root = read_tree(data, findings, file)
    if root is None:
        return None
    reader = _Reader(root, folder, findings, file)
    reader.note_updates()
    check_card_names(root, findings, file)
    storages = tuple(reader.storages())
    if not storages:
        findings.error(
            Place(file, root.line),
            "Storage",
            'there is no LDAP server for business cards; add <Storage type="LDAP"> with a <StorageDetails>,'
            " or remove the file to have no cards",
        )
        return None
    return CardSettings(
        storages=storages,
        sets=CardFields(findings, file).sets(root, {d.id for s in storages for d in s.details}),
        search_only_by_common_field=reader.switch("SearchOnlyByCommonField"),
        search_timeout=reader.timeout(),
    )


class _Reader:
    def __init__(self, root: Element, folder: Path, findings: Diagnostics, file: str) -> None:
        self._root = root
        self._folder = folder
        self._findings = findings
        self._file = file

    def _place(self, element: Element) -> Place:
        return Place(self._file, element.line)

    def _value(self, element: Element, *names: str) -> Value | None:
        return one_value(own_values(element, names, self._file), self._findings)

    def switch(self, element: str) -> bool:
        """An element that says yes by being there, unless its `value` says otherwise."""
        found = next(self._root.named(element), None)
        return found is not None and flag(self._value(found, "value"), default=True, findings=self._findings)

    def timeout(self) -> float | None:
        for each in self._root.walk():
            for value in own_values(each, ("SearchTimeout",), self._file):
                limit = number(value, 0, self._findings, least=0, most=86_400_000)
                unit = "milliseconds" if limit >= _MILLISECONDS else "seconds"
                self._findings.note(
                    value.place, value.key, f"its unit is not documented; {limit} is taken as {unit}"
                )
                return (limit / 1000 if limit >= _MILLISECONDS else float(limit)) or None
        return None

    def note_updates(self) -> None:
        if self.switch("ReadStConfigUpdates"):
            found = next(self._root.named("ReadStConfigUpdates"))
            self._findings.note(
                self._place(found), found.name, f"has no effect: business cards are set by {self._file} alone"
            )

    def storages(self) -> Iterator[CardStorage]:
        common = self._common_field()
        for element in self._root.named("Storage"):
            kind = self._value(element, "type")
            if kind is None or not kind.text.strip():
                self._findings.warning(
                    self._place(element), "type", 'is missing in Storage; it is read as type="LDAP"'
                )
            elif kind.text.strip().casefold() != "ldap":
                self._findings.note(
                    kind.place,
                    kind.key,
                    f"a storage of type {shown(kind.text)} is skipped: only LDAP is supported here",
                )
                continue
            storage = self._storage(element, common)
            if storage.servers:
                yield storage
            else:
                self._findings.warning(
                    self._place(element),
                    "StorageDetails",
                    "is missing in this Storage, so it is not searched",
                )

    def _storage(self, element: Element, common: Value | None) -> CardStorage:
        servers = tuple(self._server(each) for each in element.named("StorageDetails"))
        details = CardFields(self._findings, self._file).details(element)
        if not details:
            self._findings.warning(
                self._place(element),
                "Detail",
                'is missing in this Storage, so its cards are empty; add <Details><Detail Id="Name"'
                ' FieldName="cn" Type="text/plain"/></Details>',
            )
        link = common.text.strip() if common is not None else _LINK
        ids = [d.id for d in details]
        if common is not None and link not in ids and details:
            hint = self._findings.meant(link, ids)
            self._findings.warning(
                common.place,
                common.key,
                f"{shown(link)} is no Detail Id of the Storage in line {element.line}{hint}",
            )
        return CardStorage(
            servers=servers,
            details=details,
            tls=self._tls(element, servers),
            common_field=link,
            max_instances=self._max_instances(),
        )

    def _common_field(self) -> Value | None:
        for each in self._root.named("CommonField"):
            value = self._value(each, "CommonFieldName")
            if value is not None and value.text.strip():
                return value
        return None

    def _max_instances(self) -> int:
        for each in self._root.named("BlackBox"):
            kind = self._value(each, "type")
            if kind is None or kind.text.strip().casefold() == "ldap":
                return number(self._value(each, "MaxInstances"), 1, self._findings, least=1, most=1000)
        return 1

    def _server(self, element: Element) -> CardServer:
        findings = self._findings

        def get(setting: str) -> Value | None:
            return self._value(element, *_SETTINGS[setting].names)

        found = hosts(get("HostName"), self._place(element), findings)
        if len(found) > 1:
            self._findings.error(
                self._place(element),
                "HostName",
                "takes one host here; add a StorageDetails for each further one",
            )
        person_class = attribute(get("PersonObjectClass"), "", findings) or None
        user_id = attribute(get("UserIdAttribute"), "", findings) or None
        if user_id and not person_class:
            findings.warning(
                self._place(element),
                "PersonObjectClass",
                f"goes with UserIdAttribute={shown(user_id)} and is missing; any entry with that ID is taken",
            )
        bind_type = get("BindType")
        if bind_type is not None and bind_type.text.strip().casefold() not in ("", "simple"):
            findings.error(
                bind_type.place, bind_type.key, f"{shown(bind_type.text)} is not supported; write Simple"
            )
        ssl_enabled = flag(get("SslEnabled"), default=False, findings=findings)
        check_ports(get("Port"), get("SslPort"), enabled=ssl_enabled, switch="SslEnabled", findings=findings)
        return CardServer(
            host=found[0] if found else "",
            port=port(get("Port"), 389, findings),
            ssl_port=port(get("SslPort"), 636, findings),
            ssl_enabled=ssl_enabled,
            account=self._account(get("UserName"), get("Password"), get("UserEncodedAuth")),
            base=name(get("BaseDN"), findings),
            scope=choice(get("Scope"), _SCOPES, Scope.SUBTREE, findings),
            filter=template(get("SearchFilter"), _SETTINGS["SearchFilter"].default, findings),
            user_id_attribute=user_id,
            person_class=person_class,
            place=self._place(element),
        )

    def _account(self, user: Value | None, password: Value | None, encoded: Value | None) -> Account | None:
        if encoded is None or not encoded.text.strip():
            return read_account(user, password, names=("UserName", "Password"), findings=self._findings)
        if any(each is not None and each.text.strip() for each in (user, password)):
            self._findings.note(
                encoded.place, encoded.key, "is used; UserName and Password beside it are ignored"
            )
        return read_encoded(encoded, self._findings)

    def _tls(self, storage: Element, servers: tuple[CardServer, ...]) -> TlsSettings:
        properties = next(storage.named("SslProperties"), None)
        path = self._value(properties, "KeyStorePath") if properties else None
        if properties is None or path is None or not path.text.strip():
            encrypted = next((s for s in servers if s.ssl_enabled), None)
            if encrypted is not None:
                self._findings.error(
                    encrypted.place,
                    "SslProperties",
                    "SslEnabled is true and this Storage names no trust store; add inside the Storage:"
                    ' <SslProperties KeyStorePath="/path/ldaptruststore.p12" KeyStorePassword="…"/>',
                )
            return TlsSettings(names=_KEYS)
        password = self._value(properties, "KeyStorePassword") if properties else None
        if password is None or not password.text:
            self._findings.error(
                path.place, "KeyStorePassword", f"is missing: nothing opens {shown(path.text.strip())}"
            )
        text = path.text.strip()
        kind = StoreKind.JKS if text.casefold().endswith(".jks") else StoreKind.PKCS12
        store = StoreLocation(
            path=self._folder / text,
            kind=kind,
            password=Secret(password.text) if password is not None and password.text else None,
        )
        origins = {"trust_store": Origin(path.key, str(path.place))}
        return TlsSettings(trust_store=store, origins=origins, names=_KEYS)
