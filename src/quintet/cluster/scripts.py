"""The atomic steps of leases and of presence, in Lua. `tests/cluster` has the same in Python, and compares.

Keys and channels
-----------------
What is written for each session is as short as can be. A key costs Valkey 100 bytes and more, a field of a
hash only some, as long as the hash has at most 512 fields, of at most 64 bytes each.

`…:node:{name}` is the lease of a node: the incarnation that has the name. `…:u:{digest}` is a string and a
channel of the same name, for the user whose ID has this digest. The string is the sequence number of the last
publication, a line feed, and items: a letter, the lengths of name and value as `1:2:`, the name, the value.

- `P`: the privacy list, `version|blob`, without a name,
- `S`: a session, by its login id, `name|incarnation|moving|number|blob`. `moving` is 0, or the time of
  Valkey, in ms, until which the session of a node that shuts down is shown. `number` orders the writes.

Items with other letters belong to other versions of Quintet and stay as they are. A session lives as long as
the lease of its incarnation, or until its time to move is over; every script ignores the others, and drops
them where it writes. Hashes of many users, each of a part of them:

- `…:i:{incarnation}:{part}` is what a node has written: login id and digest,
- `…:a:0{part}` and `…:a:1{part}` have the digest of the user who signed in with a login name. All that lives
  is written to one of them again and again, then for the same time to the other, while the one expires whole.

A publication is `before after` (sequence numbers), a line feed, and items, also `R` for a session that was
removed. What `READ` answers is the same with the time of Valkey, in ms, as the second number. The number of
the first publication after a key was lost comes from the clock, so numbers never repeat.
"""

from typing import Final

from quintet.cluster.valkey import Script

NAMES_PERIOD: Final = 4 * 3600 * 1_000_000
"""Microseconds for which login names go to one hash. Names last for less, so the other is gone by then."""

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
local function item(kind, name, value)
  return kind .. #name .. ':' .. #value .. ':' .. name .. value
end
local function load(key)
  local user, data = {names = {}, values = {}, other = ''}, redis.pcall('GET', key)
  if type(data) ~= 'string' then data = '' end
  local seq, at = string.match(data, '^(%d+)\\n()')
  user.seq = number(seq)
  while at do
    local kind, name, value, from = string.match(data, '^(%u)(%d+):(%d+):()', at)
    local middle = from and from + number(name)
    at = from and middle + number(value)
    if not at or at > #data + 1 then break end
    name, value = string.sub(data, from, middle - 1), string.sub(data, middle, at - 1)
    if kind == 'P' then user.privacy = value
    elseif kind ~= 'S' then user.other = user.other .. item(kind, name, value)
    else
      if not user.values[name] then user.names[#user.names + 1] = name end
      user.values[name] = value
    end
  end
  return user
end
local function visit(key)
  local user, now, living = load(key), clock() / 1000, {}
  for _, session in ipairs(user.names) do
    local name, incarnation, moving = parts(user.values[session])
    local lives = false
    if name and moving ~= '0' then lives = number(moving) > now
    elseif name then lives = holds(name, incarnation) end
    if lives then living[#living + 1] = session
    else user.values[session], user.dead = nil, true end
  end
  user.names = living
  return user
end
local function items(user)
  local all = {user.other, user.privacy and item('P', '', user.privacy) or ''}
  for _, session in ipairs(user.names) do
    if user.values[session] then all[#all + 1] = item('S', session, user.values[session]) end
  end
  return table.concat(all)
end
local function stored(user)
  user.items = items(user)
  return text(user.seq) .. '\\n' .. user.items
end
local function shown(user)
  return text(user.seq) .. ' ' .. text(clock() / 1000 - 0.5) .. '\\n' .. (user.items or items(user))
end
local function advance(user)
  local before = user.seq
  user.seq = before == 0 and clock() or before + 1
  return before
end
local function publish(key, user, before, changes, seconds)
  redis.call('SET', key, stored(user), 'EX', seconds)
  redis.call('PUBLISH', key, text(before) .. ' ' .. text(user.seq) .. '\\n' .. table.concat(changes))
end
local function put(key, field, value, seconds)
  if type(redis.pcall('HSET', key, field, value)) == 'table' then
    redis.call('DEL', key)
    redis.call('HSET', key, field, value)
  end
  redis.call('EXPIRE', key, seconds)
end
local function turn() return math.floor(clock() / PERIOD) % 2 end
""".replace("PERIOD", str(NAMES_PERIOD))


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
  status = 'HELD'
end
for i = 2, #KEYS do
  living[#living + 1] = redis.pcall('GET', KEYS[i]) == ARGV[i + 1] and '1' or '0'
end
return {status, table.concat(living)}
""",
)
"""Keys: the lease, and leases of others. Arguments: the incarnation, how long in ms, and the incarnations of
the others. HELD or LOST, and which of the others live."""

RELEASE: Final = Script(
    "release",
    "if redis.pcall('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 'OK'",
)
"""Keys: the lease. Arguments: the incarnation."""

REGISTER: Final = _script(
    "register",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local blob, privacy, rule, limit, mode = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]
local digest, lasting, field, names_lasting = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
if not holds(name, incarnation) then return {'FENCED'} end
local user = visit(key)
local others, changes, leaving, same = {}, {}, {}, false
for _, session in ipairs(user.names) do
  local its_name, its_incarnation, moving, order, its_blob = parts(user.values[session])
  if session == me then
    same = its_name == name and its_incarnation == incarnation and moving == '0' and its_blob == blob
  elseif moving == '0' then others[#others + 1] = {number(order), session}
  else leaving[#leaving + 1] = session end
end
table.sort(others, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
local surplus = #others + 1 - (rule == 'many' and limit or 1)
if surplus > 0 and (mode == 'returning' or (mode == 'new' and rule == 'oldest')) then
  if user.values[me] then
    user.values[me] = nil
    publish(key, user, advance(user), {item('R', me, '')}, lasting)
  end
  redis.pcall('HDEL', KEYS[2], me)
  return {'REFUSED'}
end
local ended = {}
for i = 1, surplus do
  ended[i] = others[i][2]
  leaving[#leaving + 1] = others[i][2]
end
if privacy ~= '' and (not user.privacy or version(privacy) > version(user.privacy)) then
  user.privacy = privacy
  changes[1] = item('P', '', privacy)
end
if same and #changes == 0 and #leaving == 0 then
  redis.call('EXPIRE', key, lasting)
else
  local before = advance(user)
  if not user.values[me] then user.names[#user.names + 1] = me end
  user.values[me] = name .. '|' .. incarnation .. '|0|' .. text(user.seq) .. '|' .. blob
  changes[#changes + 1] = item('S', me, user.values[me])
  for _, session in ipairs(leaving) do
    user.values[session] = nil
    changes[#changes + 1] = item('R', session, '')
  end
  publish(key, user, before, changes, lasting)
end
put(KEYS[2], me, digest, lasting)
put(KEYS[3 + turn()], field, digest, names_lasting)
return {'OK', ended, shown(user)}
""",
)
"""Write a session, if the rule about several sessions lets it, and remove those that end for it.

Keys: the user, the index, both hashes of login names. Arguments: the beginning of lease keys, name,
incarnation, login id, blob, privacy list or nothing, rule, most sessions, mode, digest, how long user and
index last in s, the field of the login name, how long that lasts. A session that is `new` keeps to the rule;
one that began while Valkey was `away` ends those that were there before; one that is `returning` ends itself
if there are others. FENCED; or REFUSED; or OK, login ids of those that end, and what `READ` answers."""

WRITE: Final = _script(
    "write",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
if not holds(name, incarnation) then return 'FENCED' end
local user = load(key)
local its_name, its_incarnation, moving = parts(user.values[me])
if its_name ~= name or its_incarnation ~= incarnation or moving ~= '0' then return 'GONE' end
local before = advance(user)
user.values[me] = name .. '|' .. incarnation .. '|0|' .. text(user.seq) .. '|' .. ARGV[5]
publish(key, user, before, {item('S', me, user.values[me])}, ARGV[6])
return 'OK'
""",
)
"""Write a registered session. Keys: the user. Arguments: the beginning of lease keys, name,
incarnation, login id, blob, how long the user lasts in s. OK, FENCED, or GONE if the session is not
registered any more."""

REMOVE: Final = _script(
    "remove",
    """
local key, name, incarnation, me = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
redis.pcall('HDEL', KEYS[2], me)
local user = load(key)
local its_name, its_incarnation, moving, _, blob = parts(user.values[me])
local mine = its_name == name and its_incarnation == incarnation
if its_name and not mine then return 'OK' end
local moves = mine and ARGV[5] ~= '0' and moving == '0' and holds(name, incarnation)
if moves then
  user = visit(key)
  for _, session in ipairs(user.names) do
    local _, _, its_moving = parts(user.values[session])
    if session ~= me and its_moving == '0' then moves = false end
  end
end
local before, change = advance(user), item('R', me, '')
user.values[me] = nil
if moves then
  local ends = text(clock() / 1000 + ARGV[5])
  user.values[me] = name .. '|' .. incarnation .. '|' .. ends .. '|' .. text(user.seq) .. '|' .. blob
  change = item('S', me, user.values[me])
end
publish(key, user, before, {change}, ARGV[6])
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
local user = load(KEYS[1])
if user.privacy and ARGV[6] ~= '1' then
  if version(user.privacy) > version(ARGV[4]) then return 'STALE' end
  if version(user.privacy) == version(ARGV[4]) then return 'OK' end
end
user.privacy = ARGV[4]
publish(KEYS[1], user, advance(user), {item('P', '', ARGV[4])}, ARGV[5])
return 'OK'
""",
)
"""Write a privacy list. Keys: the user. Arguments: the beginning of lease keys, name, incarnation, the
list, how long the user lasts in s, 1 if it does not matter what is there. OK, FENCED, or STALE if that is
later."""

READ: Final = _script(
    "read",
    """
local user = visit(KEYS[1])
if user.dead then redis.pcall('SET', KEYS[1], stored(user), 'KEEPTTL') end
return shown(user)
""",
)
"""Keys: the user. Arguments: the beginning of lease keys. Sequence number, time in ms, and items."""

TOUCH: Final = _script(
    "touch",
    """
local missing, now = {}, turn()
for i = 1, #KEYS, 4 do
  local nth = (i - 1) / 4
  redis.call('EXPIRE', KEYS[i], ARGV[1])
  redis.call('EXPIRE', KEYS[i + 1], ARGV[1])
  put(KEYS[i + 2 + now], ARGV[4 + 3 * nth], ARGV[5 + 3 * nth], ARGV[2])
  redis.pcall('HDEL', KEYS[i + 3 - now], ARGV[4 + 3 * nth])
  if not load(KEYS[i]).values[ARGV[3 + 3 * nth]] then missing[#missing + 1] = nth + 1 end
end
return missing
""",
)
"""Keys: of each session the user, the index, both hashes of login names. Arguments: how long user and index
last in s, how long login names; of each session the login id, the field of the login name, the digest. The
positions, from 1, of sessions that are not there."""

WRITTEN: Final = Script(
    "written",
    """
local all = {}
for _, key in ipairs(KEYS) do
  local found = redis.pcall('HGETALL', key)
  for i = 1, #found do all[#all + 1] = found[i] end
end
return all
""",
)
"""What a node has written. Keys: parts of the index. Login ids and digests."""

NAMED: Final = _script(
    "named",
    """
local now = turn()
for _, key in ipairs({KEYS[1 + now], KEYS[2 - now]}) do
  local digest = redis.pcall('HGET', key, ARGV[1])
  if type(digest) == 'string' then return digest end
end
return false
""",
)
"""Keys: both hashes of login names. Arguments: the field of the login name. The digest of the user, or
nothing."""
