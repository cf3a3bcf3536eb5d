"""A settings folder as an administrator has it: the three files and a trust store, for a `Slapd` of ours."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

from support import keytool, small
from support.slapd import Slapd

SERVICE = (small.READER_DN, small.READER_PASSWORD)
LEVELS = ("all", "passwords", "none")


def settings_folder(
    folder: Path,
    server: Slapd,
    *,
    level: str = "all",
    store: Path | None = None,
    account: tuple[str, str] | None = SERVICE,
    cards_encrypted: bool = False,
    host: str = "localhost",
    directory: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
    connection: Mapping[str, str] | None = None,
) -> Path:
    """Write the three files into `folder` and give it back.

    `store` is made by `keytool` when it is not given. `directory` and `config` are further keys of those
    sections of sametime.ini; `connection` changes or adds attributes of the `Connection`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if store is None:
        store = keytool.trust_store(folder / "ldaptruststore.p12", {"ldap": server.authority})
    (folder / "sametime.ini").write_text(_ini(level, store, directory or {}, config or {}), encoding="utf-8")
    attributes = _connection(server, host, level, account) | dict(connection or {})
    (folder / "StCommunityConfig.xml").write_text(_community(attributes), encoding="utf-8")
    (folder / "UserInfoConfig.xml").write_text(
        _userinfo(server, host, store, account, encrypted=cards_encrypted), encoding="utf-8"
    )
    return folder


def _ini(level: str, store: Path, directory: Mapping[str, str], config: Mapping[str, str]) -> str:
    trust = {
        "STLDAP_TLS_TRUST_STORE_TYPE": store.suffix.removeprefix("."),
        "STLDAP_TLS_TRUST_STORE_FILE": str(store),
        "STLDAP_TLS_TRUST_STORE_PASSWORD": keytool.PASSWORD,
    }
    only = {"ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS": "1"} if level == "passwords" else {}
    sections = {"Config": trust | dict(config), "Directory": only | dict(directory)}
    return "".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())
        for name, keys in sections.items()
    )


def _connection(server: Slapd, host: str, level: str, account: tuple[str, str] | None) -> dict[str, str]:
    name, password = account or ("", "")
    return {
        "HostName": host,
        "Port": str(server.port),
        "SSLEnabled": "0" if level == "none" else "1",
        "SSLPort": str(server.tls_port),
        "SearchOrder": "1",
        "BindEntryDn": name,
        "BindEntryPassword": password,
        "PersonResolveBase": server.base,
        "PersonResolveScope": "recursive",
        "PersonResolveFilter": "(&(objectclass=inetOrgPerson)(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))",
        "UserDnSearchFilter": "(&(objectclass=inetOrgPerson)(|(uid=%s)(cn=%s)(mail=%s)))",
        "GroupResolveBase": server.base,
        "GroupResolveScope": "recursive",
        "GroupResolveFilter": "(&(|(objectclass=groupOfNames)(objectclass=groupOfUniqueNames))(cn=%s*))",
        "GroupMembership": "(|(member=%s)(uniqueMember=%s))",
        "UserIdAttribute": "",
        "NameAttribute": "cn",
        "EmailAttribute": "mail",
        "GroupNameAttribute": "cn",
        "GroupMemberAttribute": "member,uniqueMember",
        "PersonObjectClass": "inetOrgPerson",
        "GroupObjectClass": "groupOfNames,groupOfUniqueNames",
    }


def _attributes(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in values.items())


def _community(connection: Mapping[str, str]) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<StCommunityConfig>
  <Settings DirRefreshInterval="60" ConfigRefreshInterval="60"/>
  <LDAP>
    <Connection {_attributes(connection)}/>
  </LDAP>
</StCommunityConfig>
"""


def _userinfo(
    server: Slapd, host: str, store: Path, account: tuple[str, str] | None, *, encrypted: bool
) -> str:
    name, password = account or ("", "")
    details = {
        "HostName": host,
        "Port": str(server.port),
        "UserName": name,
        "Password": password,
        "SslEnabled": "true" if encrypted else "false",
        "SslPort": str(server.tls_port),
        "BaseDN": server.base,
        "Scope": "2",
        "SearchFilter": "(&(objectclass=inetOrgPerson)(|(uid=%s)(cn=%s)(mail=%s)))",
    }
    trust = {"KeyStorePath": str(store), "KeyStorePassword": keytool.PASSWORD}
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<UserInformation>
  <ReadStConfigUpdates value="false"/>
  <Resources>
    <Storage type="LDAP">
      <CommonField CommonFieldName="MailAddress"/>
      <StorageDetails {_attributes(details)}/>
      <SslProperties {_attributes(trust)}/>
      <Details>
        <Detail Id="MailAddress" FieldName="mail" Type="text/plain"/>
        <Detail Id="Name" FieldName="cn" Type="text/plain"/>
        <Detail Id="Title" FieldName="title" Type="text/plain"/>
        <Detail Id="Telephone" FieldName="telephoneNumber,mobile" Type="text/plain" DisplaySeparator=" / "/>
        <Detail Id="Photo" FieldName="jpegPhoto" Type="image/jpeg"/>
      </Details>
    </Storage>
  </Resources>
  <ParamsSets>
    <Set SetId="0" params="Name"/>
    <Set SetId="1" params="MailAddress,Name,Title,Telephone,Photo"/>
  </ParamsSets>
  <BlackBoxConfiguration>
    <BlackBox type="LDAP" name="com.ibm.sametime.userinfo.userinfobb.UserInfoLdapBB" MaxInstances="4"/>
  </BlackBoxConfiguration>
</UserInformation>
"""
