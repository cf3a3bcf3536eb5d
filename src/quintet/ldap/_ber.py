class BerError(ValueError): ...
def head(tag, n):
    if n < 128: return bytes((tag, n))
    b = n.to_bytes((n.bit_length()+7)//8, "big")
    return bytes((tag, 0x80|len(b)))+b
def tlv(tag, *parts):
    body = b"".join(parts)
    return head(tag, len(body)) + body
def octets(data, tag=4): return tlv(tag, data)
def sequence(*parts, tag=0x30): return tlv(tag, *parts)
def header(data, at, end):
    if at + 2 > end: raise BerError("short")
    tag = data[at]; n = data[at+1]; at += 2
    if n >= 128:
        c = n & 127
        if not 0 < c <= 4 or at + c > end: raise BerError("length")
        n = int.from_bytes(data[at:at+c], "big"); at += c
    if at + n > end: raise BerError("over")
    return tag, at, at+n
