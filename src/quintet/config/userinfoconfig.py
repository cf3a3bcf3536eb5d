"""Reading UserInfoConfig.xml (config 4): where business cards come from and what they show."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

from quintet.config.accounts import read_account, read_encoded
from quintet.config.card_fields import CardFieldsReader
from quintet.config.parsers import SettingsReader, Value, hosts
from quintet.config.schema import CARDS
from quintet.config.setting import Setting
from quintet.config.settings import Account, CardServer, CardSettings, CardStorage
from quintet.config.stcommunityconfig import check_ports
from quintet.config.tls_keys import locate
from quintet.config.xml_document import Element, read_root, settings_below, settings_of
from quintet.config.xml_names import check_card_names
from quintet.config.xml_schema import (
    BLACK_BOX,
    CARD_SERVER,
    CARD_STORE,
    COMMON_FIELD,
    ONLY_COMMON,
    PLAIN_PORT,
    READ_UPDATES,
    SEARCH,
    STORAGE,
    TLS_PORT,
)
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, Severity, did_you_mean, shown
from quintet.ldap import Scope
from quintet.secret import Secret
from quintet.tls import Origin, SettingNames, StoreKind, StoreLocation, TlsSettings

_SCOPES = {"0": Scope.BASE, "1": Scope.ONE_LEVEL, "2": Scope.SUBTREE}
# Cards take nothing of sametime.ini (config 4.3).
_KEYS = SettingNames(host=f"HostName in {CARDS}", store=f"SslProperties in {CARDS}", prefix=None)
# SearchTimeout has no documented unit. As seconds this would be too long to wait: it must be milliseconds.
_MILLISECONDS = 1000


def read_user_info(
    data: bytes, folder: Path, findings: Diagnostics, file: str = CARDS
) -> CardSettings | None:
    """The settings in `data`; None when it is unreadable or names no server. Paths count from `folder`."""
    root = read_root(data, findings, file)
    if root is None:
        return None
    reader = _Reader(root, folder, findings, file)
    reader.note_updates()
    check_card_names(root, findings, file)
    storages = tuple(reader.storages())
    if not storages:
        message = "there is no LDAP server for business cards"
        findings.add(Finding.Q92, Place(file, root.line), "Storage", message)
        return None
    return CardSettings(
        storages=storages,
        sets=CardFieldsReader(findings, file).sets(root, {d.id for s in storages for d in s.details}),
        search_only_by_common_field=reader.switch("SearchOnlyByCommonField", ONLY_COMMON),
        search_timeout=reader.timeout(),
    )


@final
class _Reader:
    def __init__(self, root: Element, folder: Path, findings: Diagnostics, file: str) -> None:
        self._root = root
        self._folder = folder
        self._findings = findings
        self._file = file

    def _place(self, element: Element) -> Place:
        return Place(self._file, element.line)

    def _read(self, element: Element, table: Mapping[str, Setting]) -> SettingsReader:
        return settings_of((element,), table, self._file, self._findings)

    def switch(self, element: str, table: Mapping[str, Setting]) -> bool:
        """An element that says yes by being there, unless its `value` says otherwise."""
        found = next(self._root.named(element), None)
        if found is None:
            return False
        read = self._read(found, table)
        return read.value("value") is None or read.flag("value")

    def timeout(self) -> float | None:
        read = settings_below(self._root, SEARCH, self._file, self._findings)
        value = read.value("SearchTimeout")
        if value is None:
            return None
        limit = read.number("SearchTimeout", 0)
        unit = "milliseconds" if limit >= _MILLISECONDS else "seconds"
        message = f"the unit of {value.key} is not documented; {limit} is read as {unit}"
        self._findings.add(Finding.Q96, value.place, value.key, message)
        return (limit / 1000 if limit >= _MILLISECONDS else float(limit)) or None

    def note_updates(self) -> None:
        if self.switch("ReadStConfigUpdates", READ_UPDATES):
            found = next(self._root.named("ReadStConfigUpdates"))
            message = f"{found.name} is accepted and ignored: {READ_UPDATES['value'].unused}"
            self._findings.add(Finding.Q57, self._place(found), found.name, message)

    def storages(self) -> Iterator[CardStorage]:
        common = self._common_field()
        for element in self._root.named("Storage"):
            place = self._place(element)
            kind = self._read(element, STORAGE).value("type")
            if kind is None:
                message = 'Storage has no type; it is read as type="LDAP"'
                self._findings.add(Finding.Q93, place, "type", message)
            elif kind.text.strip().casefold() != "ldap":
                message = f"a Storage of type {shown(kind.text)} is skipped: only LDAP is supported"
                self._findings.add(Finding.Q57, kind.place, kind.key, message)
                continue
            storage = self._storage(element, common)
            if storage.servers:
                yield storage
            else:
                message = "this Storage has no StorageDetails, so it is not searched"
                self._findings.add(Finding.Q94, place, "StorageDetails", message)

    def _storage(self, element: Element, common: Value | None) -> CardStorage:
        servers = tuple(self._server(each) for each in element.named("StorageDetails"))
        details = CardFieldsReader(self._findings, self._file).details(element)
        if not details:
            message = "this Storage has no Detail, so its business cards are empty"
            fix = 'add <Details><Detail Id="Name" FieldName="cn" Type="text/plain"/></Details>'
            self._findings.add(Finding.Q94, self._place(element), "Detail", message, fix)
        link = common.text.strip() if common is not None else COMMON_FIELD["CommonFieldName"].default
        ids = [d.id for d in details]
        if common is not None and link not in ids and details:
            near = did_you_mean(self._findings.nearest(link, ids))
            message = (
                f"{common.key} {shown(link)} is not a Detail Id of the Storage in line {element.line}{near}"
            )
            self._findings.add(Pitfall.D32, common.place, common.key, message)
        return CardStorage(
            servers=servers,
            details=details,
            tls=self._tls(element, servers),
            common_field=link,
            max_instances=self._max_instances(),
        )

    def _common_field(self) -> Value | None:
        values = (
            self._read(e, COMMON_FIELD).value("CommonFieldName") for e in self._root.named("CommonField")
        )
        return next((value for value in values if value is not None), None)

    def _max_instances(self) -> int:
        for each in self._root.named("BlackBox"):
            read = self._read(each, BLACK_BOX)
            if read.text("type").casefold() == "ldap":
                return read.number("MaxInstances")
        return int(BLACK_BOX["MaxInstances"].default)

    def _server(self, element: Element) -> CardServer:
        findings, place = self._findings, self._place(element)
        read = self._read(element, CARD_SERVER)
        found = hosts(read.value("HostName"), place, findings)
        if len(found) > 1:
            message = "HostName takes one host here"
            fix = "add a StorageDetails for each further host"
            findings.add(Finding.Q65, place, "HostName", message, fix)
        person_class = read.attribute("PersonObjectClass") or None
        user_id = read.attribute("UserIdAttribute") or None
        if user_id and not person_class:
            message = (
                f"UserIdAttribute is {shown(user_id)} and PersonObjectClass is missing; any entry with that"
                " ID is used"
            )
            findings.add(Pitfall.D20, place, "PersonObjectClass", message, "set PersonObjectClass")
        bind_type = read.value("BindType")
        if bind_type is not None and bind_type.text.strip().casefold() != "simple":
            message = f"{bind_type.key} {shown(bind_type.text)} is not supported"
            findings.add(Finding.Q61, bind_type.place, bind_type.key, message, "write Simple")
        ssl_enabled, start_tls = read.flag("SslEnabled"), self._start_tls(read)
        if not start_tls:
            check_ports(read, ssl_enabled, ("SslPort", "SslEnabled"), findings)
        return CardServer(
            host=found[0] if found else "",
            port=read.number("Port"),
            ssl_port=read.number("SslPort"),
            ssl_enabled=ssl_enabled,
            account=self._account(read),
            base=read.dn("BaseDN"),
            scope=read.choice("Scope", _SCOPES),
            filter=read.template("SearchFilter"),
            user_id_attribute=user_id,
            person_class=person_class,
            start_tls=start_tls,
            place=place,
            places=read.places,
        )

    def _start_tls(self, read: SettingsReader) -> bool:
        value, port = read.value("QUINTET_START_TLS"), read.value("Port")
        if value is None or not read.flag("QUINTET_START_TLS"):
            return False
        if not read.flag("SslEnabled"):
            message = f"{value.key} has no effect without SslEnabled: these cards are not encrypted"
            fix = 'set SslEnabled="true", or remove QUINTET_START_TLS'
            self._findings.add(Finding.Q82, value.place, value.key, message, fix)
            return False
        if port is not None and read.number("Port") == TLS_PORT:
            message = f"{port.key} is {TLS_PORT}, usually the TLS port; StartTLS needs the plain LDAP port"
            fix = f"set Port to the plain LDAP port, usually {PLAIN_PORT}, or remove {value.key}"
            self._findings.add(Pitfall.D8, port.place, port.key, message, fix, severity=Severity.WARNING)
        return True

    def _account(self, read: SettingsReader) -> Account | None:
        user, password = read.value("UserName"), read.value("Password")
        encoded = read.value("UserEncodedAuth")
        if encoded is None:
            return read_account(user, password, names=("UserName", "Password"), findings=self._findings)
        if user is not None or password is not None:
            message = f"{encoded.key} is used; UserName and Password beside it are ignored"
            self._findings.add(Finding.Q57, encoded.place, encoded.key, message)
        return read_encoded(encoded, self._findings)

    def _tls(self, storage: Element, servers: tuple[CardServer, ...]) -> TlsSettings:
        properties = next(storage.named("SslProperties"), None)
        read = self._read(properties, CARD_STORE) if properties else None
        path = read.value("KeyStorePath") if read else None
        if read is None or path is None:
            encrypted = next((s for s in servers if s.ssl_enabled), None)
            if encrypted is not None:
                message = "SslEnabled is true and this Storage names no trust store"
                fix = (
                    'add inside the Storage: <SslProperties KeyStorePath="/path/ldaptruststore.p12"'
                    ' KeyStorePassword="…"/>'
                )
                self._findings.add(Pitfall.D5, encrypted.place, "SslProperties", message, fix)
            return TlsSettings(names=_KEYS)
        text = path.text.strip()
        password = read.value("KeyStorePassword")
        if password is None:
            message = f"KeyStorePassword is missing, so {shown(text)} cannot be opened"
            self._findings.add(Pitfall.D5, path.place, "KeyStorePassword", message, "set KeyStorePassword")
        kind = StoreKind.JKS if text.casefold().endswith(".jks") else StoreKind.PKCS12
        store = StoreLocation(
            path=self._folder / text,
            kind=kind,
            password=Secret(password.text) if password is not None else None,
        )
        origin = Origin(path.key, path.place)
        store = locate(store, self._folder, origin, self._findings)
        return TlsSettings(trust_store=store, origins={"trust_store": origin}, names=_KEYS)
