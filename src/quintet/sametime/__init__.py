"""The Sametime client protocol, the server's side (docs/design/sametime-protocol.md)."""
