"""The atomic steps of leases and of presence, in Lua. `tests/cluster` has the same in Python, and compares.

Keys and channels
-----------------
`…:node:{name}` is the lease of a node: the incarnation that has the name. `…:u:{digest}` is a hash and a
channel of the same name, for the user whose ID has this digest. Its fields are

- `#`: the sequence number of the last publication,
- `p`: the privacy list, `version|blob`,
- `s` and a login id: a session, `name|incarnation|moving|number|blob`. `moving` is 0, or the time of Valkey,
  in ms, until which the session of a node that shuts down is shown. `number` orders the writes.

Other fields belong to other versions of Quintet and stay as they are. A session lives as long as the lease of
its incarnation, or until its time to move is over; every script ignores and removes the others. `…:i:
{incarnation}` is a hash of what a node has written: login id and digest. `…:a:{digest}` has the digest of the
user who signed in with the login name of that digest.

A publication is `before after` (sequence numbers), a line feed, and items: a letter (`P`, `S`, or `R` for a
session that was removed), the lengths of field and value as `1:2:`, the field, the value. The number of the
first publication after a key was lost comes from the clock, so numbers never repeat.
"""

from typing import Final

from quintet.cluster.valkey import Script

CLOCK: Final = """
local function clock() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
"""
"""Microseconds of Valkey's clock."""

_COMMON: Final = """
local function holds(name, incarnation)
  return redis.pcall('GET', ARGV[1] .. name) == incarnation
end
local function number(text)
  if type(text) == 'string' and #text < 17 and string.match(text, '^%d+$') then return tonumber(text) end
  return 0
end
local function version(privacy) return number(string.match(privacy, '^%d+')) end
local function text(n) return string.format('%.0f', n) end
local function parts(value)
  return string.match(value or '', '^([^|]+)|([^|]+)|(%d+)|(%d+)|(.*)$')
end
local function item(kind, field, value)
  return kind .. #field .. ':' .. #value .. ':' .. field .. value
end
local function heal(key)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
end
local function visit(key)
  heal(key)
  local user = {seq = 0, names = {}, values = {}}
  local now, dead, flat = clock() / 1000, {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    if field == '#' then user.seq = number(value)
    elseif field == 'p' then user.privacy = value
    elseif string.sub(field, 1, 1) == 's' then
      local name, incarnation, moving = parts(value)
      local lives = false
      if name and moving ~= '0' then lives = number(moving) > now
      elseif name then lives = holds(name, incarnation) end
      if lives then
        user.names[#user.names + 1] = field
        user.values[field] = value
      else
        dead[#dead + 1] = field
      end
    end
  end
  for i = 1, #dead do redis.pcall('HDEL', key, dead[i]) end
  table.sort(user.names)
  return user
end
local function shown(user)
  local answer = {text(user.seq), text(clock() / 1000 - 0.5)}
  if user.privacy then answer[3] = 'p' answer[4] = user.privacy end
  for _, field in ipairs(user.names) do
    answer[#answer + 1] = field
    answer[#answer + 1] = user.values[field]
  end
  return answer
end
local function advance(key, seq)
  local new = seq + 1
  if seq == 0 then new = clock() end
  redis.call('HSET', key, '#', text(new))
  return new
end
local function publish(key, before, after, items)
  redis.call('PUBLISH', key, text(before) .. ' ' .. text(after) .. '\\n' .. table.concat(items))
end
"""


def _script(name: str, lua: str) -> Script:
    return Script(name, CLOCK + _COMMON + lua)


CLAIM: Final = Script(
    "claim",
    """
local value = redis.pcall('GET', KEYS[1])
if value == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 'HELD' end
if value == ARGV[3] then redis.call('DEL', KEYS[1]) end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'HELD' end
return 'TAKEN'
""",
)
"""Keys: the lease. Arguments: the incarnation, how long in ms, this node's incarnation before. HELD or
TAKEN."""

RENEW: Final = Script(
    "renew",
    """
local status, living = 'LOST', {}
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
  status = 'HELD'
end
for i = 3, #KEYS do
  living[#living + 1] = redis.pcall('GET', KEYS[i]) == ARGV[i + 1] and '1' or '0'
end
return {status, table.concat(living)}
""",
)
"""Keys: the lease, the index, and leases of others. Arguments: the incarnation, how long in ms, how long the
index in s, and the incarnations of the others. HELD or LOST, and which of the others live."""

RELEASE: Final = Script(
    "release",
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end return 'OK'",
)
"""Keys: the lease, the index. Arguments: the incarnation."""

REGISTER: Final = _script(
    "register",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], 's' .. ARGV[4]
local blob, privacy, rule, limit, mode = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]
if not holds(name, incarnation) then return {'FENCED'} end
heal(KEYS[2])
local user = visit(key)
local others, items, leaving, same = {}, {}, {}, false
for _, field in ipairs(user.names) do
  local its_name, its_incarnation, moving, order, its_blob = parts(user.values[field])
  if field == me then
    same = its_name == name and its_incarnation == incarnation and moving == '0' and its_blob == blob
  elseif moving == '0' then others[#others + 1] = {number(order), field}
  else leaving[#leaving + 1] = field end
end
table.sort(others, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
local surplus = #others + 1 - (rule == 'many' and limit or 1)
if surplus > 0 and (mode == 'returning' or (mode == 'new' and rule == 'oldest')) then
  if user.values[me] then
    local before = user.seq
    user.seq = advance(key, before)
    redis.call('HDEL', key, me)
    publish(key, before, user.seq, {item('R', me, '')})
  end
  redis.call('HDEL', KEYS[2], ARGV[4])
  return {'REFUSED'}
end
local ended = {}
for i = 1, surplus do
  ended[i] = string.sub(others[i][2], 2)
  leaving[#leaving + 1] = others[i][2]
end
if privacy ~= '' and (not user.privacy or version(privacy) > version(user.privacy)) then
  user.privacy = privacy
  items[1] = item('P', 'p', privacy)
end
if not same or #items > 0 or #leaving > 0 then
  local before = user.seq
  user.seq = advance(key, before)
  if #items > 0 then redis.call('HSET', key, 'p', privacy) end
  local value = name .. '|' .. incarnation .. '|0|' .. text(user.seq) .. '|' .. blob
  redis.call('HSET', key, me, value)
  if not user.values[me] then
    user.names[#user.names + 1] = me
    table.sort(user.names)
  end
  user.values[me] = value
  items[#items + 1] = item('S', me, value)
  for _, field in ipairs(leaving) do
    redis.call('HDEL', key, field)
    items[#items + 1] = item('R', field, '')
    user.values[field] = nil
  end
  local names = {}
  for _, field in ipairs(user.names) do
    if user.values[field] then names[#names + 1] = field end
  end
  user.names = names
  publish(key, before, user.seq, items)
end
redis.call('EXPIRE', key, ARGV[11])
redis.call('HSET', KEYS[2], ARGV[4], ARGV[10])
redis.call('EXPIRE', KEYS[2], ARGV[12])
redis.call('SET', KEYS[3], ARGV[10], 'EX', ARGV[11])
return {'OK', ended, shown(user)}
""",
)
"""Write a session, if the rule about several sessions lets it, and remove those that end for it.

Keys: the user, the index, the login name. Arguments: the beginning of lease keys, name, incarnation, login
id, blob, privacy list or nothing, rule, most sessions, mode, digest, how long user and index last in s. A
session that is `new` keeps to the rule; one that began while Valkey was `away` ends those that were there
before; one that is `returning` ends itself if there are others. FENCED; or REFUSED; or OK, login ids of those
that end, and what `READ` answers."""

WRITE: Final = _script(
    "write",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], 's' .. ARGV[4]
if not holds(name, incarnation) then return 'FENCED' end
heal(key)
local its_name, its_incarnation, moving = parts(redis.call('HGET', key, me) or '')
if its_name ~= name or its_incarnation ~= incarnation or moving ~= '0' then return 'GONE' end
local before = number(redis.call('HGET', key, '#'))
local after = advance(key, before)
local value = name .. '|' .. incarnation .. '|0|' .. text(after) .. '|' .. ARGV[5]
redis.call('HSET', key, me, value)
redis.call('EXPIRE', key, ARGV[6])
publish(key, before, after, {item('S', me, value)})
return 'OK'
""",
)
"""Write a registered session. Keys: the user. Arguments: the beginning of lease keys, name,
incarnation, login id, blob, how long the user lasts in s. OK, FENCED, or GONE if the session is not
registered any more."""

REMOVE: Final = _script(
    "remove",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], 's' .. ARGV[4]
heal(key)
heal(KEYS[2])
redis.call('HDEL', KEYS[2], ARGV[4])
local its_name, its_incarnation, moving, _, blob = parts(redis.call('HGET', key, me) or '')
local mine = its_name == name and its_incarnation == incarnation
if its_name and not mine then return 'OK' end
local before = number(redis.call('HGET', key, '#'))
local user = mine and ARGV[5] ~= '0' and moving == '0' and holds(name, incarnation) and visit(key)
if user then
  for _, field in ipairs(user.names) do
    local _, _, its_moving = parts(user.values[field])
    if field ~= me and its_moving == '0' then user = false end
  end
end
if user then
  local after = advance(key, before)
  local ends = text(clock() / 1000 + ARGV[5])
  local value = name .. '|' .. incarnation .. '|' .. ends .. '|' .. text(after) .. '|' .. blob
  redis.call('HSET', key, me, value)
  publish(key, before, after, {item('S', me, value)})
else
  redis.call('HDEL', key, me)
  local after = advance(key, before)
  redis.call('EXPIRE', key, ARGV[6])
  publish(key, before, after, {item('R', me, '')})
end
return 'OK'
""",
)
"""A session of this incarnation has ended, or moves for some ms. Its first write takes no memory, so it works
even if Valkey is full.

Keys: the user, the index. Arguments: the beginning of lease keys, name, incarnation, login id, for how many
ms it moves, how long the user lasts in s."""

HIDE: Final = _script(
    "hide",
    """
if not holds(ARGV[2], ARGV[3]) then return 'FENCED' end
heal(KEYS[1])
local known = redis.call('HGET', KEYS[1], 'p')
if known and ARGV[6] ~= '1' then
  if version(known) > version(ARGV[4]) then return 'STALE' end
  if version(known) == version(ARGV[4]) then return 'OK' end
end
local before = number(redis.call('HGET', KEYS[1], '#'))
local after = advance(KEYS[1], before)
redis.call('HSET', KEYS[1], 'p', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
publish(KEYS[1], before, after, {item('P', 'p', ARGV[4])})
return 'OK'
""",
)
"""Write a privacy list. Keys: the user. Arguments: the beginning of lease keys, name, incarnation, the
list, how long the user lasts in s, 1 if it does not matter what is there. OK, FENCED, or STALE if that is
later."""

READ: Final = _script("read", "return shown(visit(KEYS[1]))")
"""Keys: the user. Arguments: the beginning of
lease keys. Sequence number, time in ms, then fields and values."""

TOUCH: Final = Script(
    "touch",
    """
local missing = {}
for i = 1, #KEYS, 2 do
  redis.call('EXPIRE', KEYS[i], ARGV[1])
  redis.call('EXPIRE', KEYS[i + 1], ARGV[1])
  if redis.pcall('HEXISTS', KEYS[i], ARGV[(i + 3) / 2]) ~= 1 then missing[#missing + 1] = (i + 1) / 2 end
end
return missing
""",
)
"""Keys: user and login name of each session. Arguments: how long they last in s, and the field of each
session. The positions, from 1, of sessions that are not there."""

WRITTEN: Final = Script(
    "written",
    "if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {'0', {}} end "
    "return redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 300)",
)
"""A part of what a node has written. Keys: the index. Arguments: where to go on. Where to go on, or 0, and
login ids and digests."""

NAMED: Final = Script("named", "local d = redis.pcall('GET', KEYS[1]) return type(d) == 'string' and d")
"""Keys: the login name. The digest of the user, or nothing."""
