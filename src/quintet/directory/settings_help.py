"""Where an administrator sets what an endpoint is made of: what a cure must name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingsHelp:
    """A settings file, its keys, and what else would do where an account may not be shown."""

    file: str
    tls_port: str
    account: str
    encrypting: str
    scram: str

    @property
    def ways_out(self) -> str:
        return (
            f"Ways out: {self.encrypting}; {self.scram}; let anonymous connections read the bases; or set"
            " QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory] to show the account's password to whoever"
            " listens"
        )

    @property
    def only_way_out(self) -> str:
        """For Active Directory, which has neither SCRAM nor anonymous searches."""
        return (
            f"On Active Directory {self.encrypting}: it has neither SCRAM nor anonymous searches. Else"
            " QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory] shows the account's password to whoever listens"
        )

    def check(self, keys: str) -> str:
        return f"Check {keys} in {self.file}"


COMMUNITY = SettingsHelp(
    file="StCommunityConfig.xml",
    tls_port="SSLPort",
    account="BindEntryDn and BindEntryPassword",
    encrypting="encrypt all (quintet protect all)",
    scram="let the server offer SASL SCRAM to the account (QUINTET_SASL_USER names its user)",
)
