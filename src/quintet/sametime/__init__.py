"""The Sametime client protocol, the server's side (docs/design/sametime-protocol.md).

`session` is one connection without a socket: bytes in, events out. `channels` is its part for channels. Below
them are `wire`, the bytes of messages and ciphers, and `services`, what is said on channels. `credentials`
recovers passwords, `reason` names why something ends, `limits` bounds what a client may do.
"""
