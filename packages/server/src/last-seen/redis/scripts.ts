/**
 * What runs inside Redis, each as one step, after the broker's prelude (`generation()`, `now()`, `int()`).
 * KEYS: users (hash: user to `AT NODE NODE…`), order (users by when something was written of them), nodes (by when each
 * said last that it lives). What a change does is told in kept-user.ts.
 */

/** Users forgotten with one write: more than it can add. */
const forgottenMax = 1_000;

/** ARGV: node, alive at, time or '', ttl, most users, how long until a silent node is settled, then user, at, `1` or `0` of each change. */
export const writeScript = `
if not generation() then return redis.error_reply('READONLY this server is no master') end
local node, alive, at, ttl = ARGV[1], tonumber(ARGV[2]), now(ARGV[3]), tonumber(ARGV[4])
redis.call('ZADD', KEYS[3], 'GT', ARGV[2], node)
for i = 7, #ARGV, 3 do
  local user, seen, nodes = ARGV[i], tonumber(ARGV[i + 1]), ''
  local kept = redis.call('HGET', KEYS[1], user)
  if kept then
    seen = math.max(seen, tonumber(string.match(kept, '^%d+')))
    for other in string.gmatch(kept, ' (%S+)') do
      local spoke = other ~= node and redis.call('ZSCORE', KEYS[3], other)
      if spoke and tonumber(spoke) >= alive - tonumber(ARGV[6]) then nodes = nodes .. ' ' .. other
      elseif spoke then seen = math.max(seen, tonumber(spoke)) end
    end
  end
  if ARGV[i + 2] == '1' then nodes = nodes .. ' ' .. node end
  redis.call('HSET', KEYS[1], user, int(seen) .. nodes)
  redis.call('ZADD', KEYS[2], int(at), user)
end
local function forget(users)
  for _, user in ipairs(users) do
    redis.call('HDEL', KEYS[1], user)
    redis.call('ZREM', KEYS[2], user)
  end
end
forget(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', int(at - ttl), 'LIMIT', 0, ${forgottenMax}))
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if over > 0 then forget(redis.call('ZRANGE', KEYS[2], 0, math.min(over, ${forgottenMax}) - 1)) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', int(at - ttl))
return 'written'
`;

/** ARGV: time or '', ttl, users. Answers for each '' or `AT NODE ALIVE-AT NODE ALIVE-AT…`. */
export const readScript = `
if not generation() then return redis.error_reply('READONLY this server is no master') end
local since, found = now(ARGV[1]) - tonumber(ARGV[2]), {}
for i = 3, #ARGV do
  local kept = redis.call('HGET', KEYS[1], ARGV[i])
  local written = kept and redis.call('ZSCORE', KEYS[2], ARGV[i])
  local entry = ''
  if written and tonumber(written) > since then
    entry = string.match(kept, '^%d+')
    for node in string.gmatch(kept, ' (%S+)') do
      local spoke = redis.call('ZSCORE', KEYS[3], node)
      if spoke then entry = entry .. ' ' .. node .. ' ' .. int(tonumber(spoke)) end
    end
  end
  found[#found + 1] = entry
end
return found
`;

/** ARGV: the user. */
export const forgetScript = `
if not generation() then return redis.error_reply('READONLY this server is no master') end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'forgotten'
`;
