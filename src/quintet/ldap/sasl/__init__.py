"""SASL: both sides of SCRAM (RFC 5802), and the channel binding to a TLS connection (RFC 5929)."""

from quintet.ldap.sasl.channel_binding import ChannelBinding, tls_server_end_point
from quintet.ldap.sasl.scram import MECHANISMS, Credentials, ScramClient, ScramError, ScramServer, credentials

__all__ = [
    "MECHANISMS",
    "ChannelBinding",
    "Credentials",
    "ScramClient",
    "ScramError",
    "ScramServer",
    "credentials",
    "tls_server_end_point",
]
