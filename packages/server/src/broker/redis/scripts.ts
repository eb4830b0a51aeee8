import { createHash } from 'node:crypto';

/**
 * What runs inside Redis, each as one step. Numbers come and go as text: the Lua of Redis prints
 * large ones with an exponent.
 *
 * The meta of a channel: `l` life, `o` top offset, `f` floor (the first offset that may be read),
 * `t` time of the last publication, `a` age at which publications expire, `x` until when none does.
 * The log has entries `OFFSET-TIME`, so that both an offset and an age are found without an index.
 * It is trimmed behind the floor, in the large steps that cost Redis nothing.
 */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/**
 * How long a channel without publications remembers its life after it was last asked about: so much may
 * strangers who only ask make Redis keep. A channel with subscribers is asked about more often (DEL-10).
 */
const emptyMs = 300_000;

/** For every script: numbers as text, the time, and which life of a server this is; nil on a replica. */
export const scriptPrelude = `
local function int(n) return string.format('%.0f', n) end

local function now(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Changes whenever this server became master or was started: what it then lacks, nobody can tell.
local function generation()
  local info = redis.call('INFO', 'replication')
  if not string.find(info, 'role:master', 1, true) then return nil end
  return string.sub(redis.sha1hex(string.match(info, 'master_replid:(%x+)')), 1, 12)
end
`;

const shared = `${scriptPrelude}
local emptyMs = '${emptyMs}'

-- The first offset from floor on that is younger than age, and when it will not be. Offsets have no
-- holes and times never fall, so it is found by halving.
local function young(log, floor, top, age, at)
  local function time(offset)
    local found = redis.call('XRANGE', log, int(offset), '+', 'COUNT', 1)[1]
    if not found then return nil end
    return tonumber(string.match(found[1], '-(%d+)'))
  end
  local oldest = time(floor)
  if not oldest then return top + 1, 0 end
  if oldest + age > at then return floor, oldest + age end
  local low, high = floor + 1, top + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local made = time(middle)
    if made and made + age > at then high = middle else low = middle + 1 end
  end
  if low > top then return low, 0 end
  return low, time(low) + age
end
`;

/**
 * KEYS: live, meta, log, and the idempotency key where there is one.
 * ARGV: life for a channel that has none, time or '', data, envelope, origin, ticket, size, age, how long
 * the meta lives, expected offset or '', expected epoch or '', window, PUBLISH or SPUBLISH.
 */
export const publishScript = script(`${shared}
local name = generation()
if not name then return redis.error_reply('READONLY this server is no master') end
local at = now(ARGV[2])
local window = tonumber(ARGV[12])
if KEYS[4] then
  local first = redis.call('GET', KEYS[4])
  if first then
    local offset, life, made = string.match(first, '^(%S+) (%S+) (%d+)$')
    if tonumber(made) + window > at then
      if offset == '-' then return {'duplicate'} end
      -- A write, so that a WAIT which follows asks about the first one's, too.
      redis.call('PEXPIRE', KEYS[2], ARGV[9])
      return {'duplicate', offset, life .. '.' .. name}
    end
  end
end
local meta = redis.call('HMGET', KEYS[2], 'l', 'o', 'f', 't', 'a', 'x')
local life = meta[1]
local isNew = not life
if isNew then
  life, meta = ARGV[1], {}
  redis.call('DEL', KEYS[3])
end
local epoch = life .. '.' .. name
local top, floor = tonumber(meta[2] or 0), tonumber(meta[3] or 1)
if ARGV[10] ~= '' and (tonumber(ARGV[10]) ~= top or (ARGV[11] ~= '' and ARGV[11] ~= epoch)) then
  if isNew then
    redis.call('HSET', KEYS[2], 'l', life, 'o', '0')
    redis.call('PEXPIRE', KEYS[2], emptyMs)
  end
  return {'conflict', int(top), epoch}
end
-- The clock of another master may be behind.
at = math.max(at, tonumber(meta[4] or 0))
local size, age, until_ = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(meta[6] or 0)
local oldAge = tonumber(meta[5] or ARGV[8])
if floor <= top then
  -- By the old age first: what was gone must not come back under a longer one.
  if at >= until_ then floor, until_ = young(KEYS[3], floor, top, oldAge, at) end
  if age ~= oldAge and floor <= top then floor, until_ = young(KEYS[3], floor, top, age, at) end
end
local previous = top
top = top + 1
floor = math.max(floor, top - size + 1)
if floor == top then until_ = at + age end
local id = int(top) .. '-' .. int(at)
if ARGV[4] == '' then
  redis.call('XADD', KEYS[3], 'MINID', '~', int(floor), id, 'd', ARGV[3])
else
  redis.call('XADD', KEYS[3], 'MINID', '~', int(floor), id, 'd', ARGV[3], 'e', ARGV[4])
end
redis.call('PEXPIRE', KEYS[3], ARGV[8])
redis.call('HSET', KEYS[2], 'l', life, 'o', int(top), 'f', int(floor), 't', int(at), 'a', ARGV[8], 'x', int(until_))
redis.call('PEXPIRE', KEYS[2], ARGV[9])
if KEYS[4] then redis.call('SET', KEYS[4], int(top) .. ' ' .. life .. ' ' .. int(at), 'PX', ARGV[12]) end
local head = table.concat({int(previous), int(top), int(at), epoch, ARGV[5], ARGV[6], #ARGV[4]}, ' ')
redis.call(ARGV[13], KEYS[1], head .. '\\n' .. ARGV[4] .. ARGV[3])
return {'appended', int(top), epoch}
`);

/** A publication that is kept nowhere, with a key. KEYS: live, key. ARGV: time or '', message, window, PUBLISH or SPUBLISH. */
export const passScript = script(`${shared}
local at = now(ARGV[1])
local first = redis.call('GET', KEYS[2])
if first and tonumber(string.match(first, '(%d+)$')) + tonumber(ARGV[3]) > at then return {'duplicate'} end
redis.call('SET', KEYS[2], '- - ' .. int(at), 'PX', ARGV[3])
redis.call(ARGV[4], KEYS[1], ARGV[2])
return {'passed'}
`);

/**
 * KEYS: meta, log. ARGV: life for a channel that has none, time or '', since or '', limit, bytes or '',
 * 'reverse' or ''.
 *
 * A channel without publications gets its life here, so that its first publication is of the epoch that
 * its subscribers were told.
 */
export const historyScript = script(`${shared}
local name = generation()
if not name then return redis.error_reply('READONLY this server is no master') end
local meta = redis.call('HMGET', KEYS[1], 'l', 'o', 'f', 't', 'a', 'x')
local life, top = meta[1], tonumber(meta[2] or 0)
if not life then
  life = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'l', life, 'o', '0')
end
local epoch = life .. '.' .. name
if top == 0 then
  redis.call('PEXPIRE', KEYS[1], emptyMs)
  return {'0', epoch, {}}
end
local limit, floor, until_ = tonumber(ARGV[4]), tonumber(meta[3]), tonumber(meta[6])
if limit == 0 or floor > top then return {int(top), epoch, {}} end
local at = math.max(now(ARGV[2]), tonumber(meta[4]))
if at >= until_ then
  floor, until_ = young(KEYS[2], floor, top, tonumber(meta[5]), at)
  redis.call('HSET', KEYS[1], 'f', int(floor), 'x', int(until_))
  redis.call('XTRIM', KEYS[2], 'MINID', '~', int(floor))
end
local first, last, step = floor, top, 1
if ARGV[6] ~= '' then
  step = -1
  if ARGV[3] ~= '' then last = math.min(top, tonumber(ARGV[3]) - 1) end
elseif ARGV[3] ~= '' then
  first = math.max(floor, tonumber(ARGV[3]) + 1)
end
local bytesMax = tonumber(ARGV[5] ~= '' and ARGV[5] or 'inf')
local rows, bytes = {}, 0
-- A few at a time where bytes are bounded: what does not fit is not to be read.
while first <= last and #rows < limit do
  local count = math.min(limit - #rows, ARGV[5] ~= '' and 16 or limit)
  local found
  if step == 1 then found = redis.call('XRANGE', KEYS[2], int(first), int(last), 'COUNT', count)
  else found = redis.call('XREVRANGE', KEYS[2], int(last), int(first), 'COUNT', count) end
  for _, entry in ipairs(found) do
    bytes = bytes + #entry[2][2] + #(entry[2][4] or '')
    if bytes > bytesMax and #rows > 0 then return {int(top), epoch, rows} end
    rows[#rows + 1] = entry
  end
  if #found < count then break end
  if step == 1 then first = first + count else last = last - count end
end
return {int(top), epoch, rows}
`);

/**
 * The tops of many channels, all of one server (of one slot in a Cluster). KEYS: meta and log of each. ARGV: a life
 * for each that has none. Answers top and epoch of each, as `historyScript` with limit 0 does.
 */
export const topsScript = script(`${shared}
local name = generation()
if not name then return redis.error_reply('READONLY this server is no master') end
local tops = {}
for i = 1, #KEYS, 2 do
  local meta = redis.call('HMGET', KEYS[i], 'l', 'o')
  local life, top = meta[1], meta[2] or '0'
  if not life then
    life, top = ARGV[(i + 1) / 2], '0'
    redis.call('DEL', KEYS[i + 1])
    redis.call('HSET', KEYS[i], 'l', life, 'o', '0')
  end
  if top == '0' then redis.call('PEXPIRE', KEYS[i], emptyMs) end
  tops[i], tops[i + 1] = top, life .. '.' .. name
end
return tops
`);

/** KEYS: meta, log. The top and the life stay. */
export const removeScript = script(`${shared}
local top = redis.call('HGET', KEYS[1], 'o')
redis.call('DEL', KEYS[2])
if top then redis.call('HSET', KEYS[1], 'f', int(tonumber(top) + 1), 'x', '0') end
return 'removed'
`);

export const allScripts: readonly Script[] = [publishScript, passScript, historyScript, topsScript, removeScript];

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
