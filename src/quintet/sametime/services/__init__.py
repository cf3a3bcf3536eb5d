"""What is said on channels: one module for each service, its messages as values (P67 to P100).

A channel's data is a number, the type, and bytes: `decode_…` gives the value of both, a value's `TYPE` and
`encode()` give both back. Values without a TYPE come as additional data with the opening of a channel.
"""
