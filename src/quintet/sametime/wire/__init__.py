"""The bytes of the protocol: primitives, frames, blocks, messages, and the ciphers inside them."""
