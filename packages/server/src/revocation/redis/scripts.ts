/**
 * What runs inside Redis, each as one step, after the broker's prelude (`generation()`, `now()`, `int()`).
 * KEYS: list (hash: `l` life, `n` newest number), entries (hash: subject to `ISSUED-BEFORE EXPIRES-AT`), order
 * (subjects by number), expiry (subjects by when they expire).
 */

/** Expired entries removed with one append. */
const forgottenMax = 100;

/** ARGV: life for a list that has none, subject, issued before, expires at or '', time or '', most entries. */
export const appendScript = `
if not generation() then return redis.error_reply('READONLY this server is no master') end
local at = now(ARGV[5])
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', int(at), 'LIMIT', 0, ${forgottenMax})) do
  redis.call('HDEL', KEYS[2], subject)
  redis.call('ZREM', KEYS[3], subject)
  redis.call('ZREM', KEYS[4], subject)
end
local older = redis.call('HGET', KEYS[2], ARGV[2])
if not older and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[6]) then return 'full' end
local before, ends = tonumber(ARGV[3]), ARGV[4]
if older then
  local olderBefore, olderEnds = string.match(older, '^(%S+) ?(%S*)$')
  before = math.max(before, tonumber(olderBefore))
  if ends ~= '' and olderEnds ~= '' then ends = int(math.max(tonumber(ends), tonumber(olderEnds))) else ends = '' end
end
redis.call('HSETNX', KEYS[1], 'l', ARGV[1])
local number = redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HSET', KEYS[2], ARGV[2], int(before) .. ' ' .. ends)
redis.call('ZADD', KEYS[3], number, ARGV[2])
if ends == '' then redis.call('ZREM', KEYS[4], ARGV[2]) else redis.call('ZADD', KEYS[4], ends, ARGV[2]) end
return 'appended'
`;

/** ARGV: life, generation and number of the version, entries in a page. */
export const readScript = `
local name = generation()
if not name then return redis.error_reply('READONLY this server is no master') end
local list = redis.call('HMGET', KEYS[1], 'l', 'n')
if not list[1] then return {'', 0, {}} end
local since = tonumber(ARGV[3])
if ARGV[1] ~= list[1] or ARGV[2] ~= name or since > tonumber(list[2]) then since = 0 end
local limit = tonumber(ARGV[4])
local found = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. int(since), '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
local hasMore, rows = 0, {}
for i = 1, #found, 2 do
  if #rows == limit then hasMore = 1 break end
  rows[#rows + 1] = {found[i], redis.call('HGET', KEYS[2], found[i])}
  since = tonumber(found[i + 1])
end
return {list[1] .. '.' .. name .. '.' .. int(since), hasMore, rows}
`;
