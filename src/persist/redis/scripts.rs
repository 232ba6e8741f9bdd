//! What Redis does in one indivisible operation. The decisions are those of `run_state.rs`; the conformance suite holds the two
//! together.
//!
//! Every script takes the time that keys are kept (milliseconds, 0: for ever) as its first argument, and the fenced ones the
//! epoch as their second. Numbers are compared as the strings they were stored as, but for steps, which are below 2⁵³. All
//! keys are of one run, so that a cluster can run the scripts.

use ::redis::Script;

/// `keep` prolongs the life of a key. Redis answers `false` for nothing.
const COMMON: &str = "
local function keep(key)
  if ARGV[1] ~= '0' then redis.call('PEXPIRE', key, ARGV[1]) end
end
";

/// Answers `fenced` and the current epoch, unless the second argument is the epoch in `KEYS[1]`.
const FENCE: &str = "
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[2] then return {'fenced', epoch or '0'} end
";

/// All scripts, each known to the server by its hash and sent again when the server has forgotten it.
pub(super) struct Scripts {
    pub acquire: Script,
    pub renew: Script,
    pub release: Script,
    pub raise_epoch: Script,
    pub put_record: Script,
    pub begin_value: Script,
    pub commit: Script,
    pub withdraw: Script,
    pub sweep: Script,
    pub append_log: Script,
    pub read_log: Script,
    pub remove: Script,
}

impl Scripts {
    pub fn new() -> Self {
        let plain = |body: &str| Script::new(&format!("{COMMON}{body}"));
        let fenced = |body: &str| Script::new(&format!("{COMMON}{FENCE}{body}"));
        Self {
            acquire: plain(ACQUIRE),
            renew: fenced(RENEW),
            release: fenced(RELEASE),
            raise_epoch: fenced(RAISE_EPOCH),
            put_record: fenced(PUT_RECORD),
            begin_value: plain(BEGIN_VALUE),
            commit: fenced(COMMIT),
            withdraw: fenced(WITHDRAW),
            sweep: fenced(SWEEP),
            append_log: fenced(APPEND_LOG),
            read_log: plain(READ_LOG),
            remove: plain(REMOVE),
        }
    }
}

/// state, lease; holder, life of the lease in ms.
const ACQUIRE: &str = "
local by = redis.call('GET', KEYS[2])
if by and by ~= ARGV[2] then return {'held', by, string.format('%d', redis.call('PTTL', KEYS[2]))} end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
keep(KEYS[1])
return {'ok', string.format('%d', epoch)}
";

/// state, lease; epoch, holder, life of the lease in ms.
const RENEW: &str = "
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
keep(KEYS[1])
return {'ok'}
";

/// state, lease; epoch.
const RELEASE: &str = "
redis.call('DEL', KEYS[2])
return {'ok'}
";

/// state; epoch.
const RAISE_EPOCH: &str = "
return {'ok', string.format('%d', redis.call('HINCRBY', KEYS[1], 'epoch', 1))}
";

/// state, records; epoch, name, bytes, version. A write that was given up may still arrive after a later one: its version is
/// lower.
const PUT_RECORD: &str = "
local version = redis.call('HGET', KEYS[2], ARGV[3] .. '#')
if version and tonumber(version) >= tonumber(ARGV[5]) then return {'late'} end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4], ARGV[3] .. '#', ARGV[5])
keep(KEYS[2])
return {'ok'}
";

/// value, index; meta, name, score (empty: the index is a set), fields when complete. Says whether the value is there already.
/// The index comes first, so that what is begun can always be found and swept.
const BEGIN_VALUE: &str = "
local meta = redis.call('HGET', KEYS[1], 'meta')
if meta and meta ~= ARGV[2] then return {'conflict'} end
if ARGV[4] == '' then redis.call('SADD', KEYS[2], ARGV[3]) else redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3]) end
keep(KEYS[2])
redis.call('HSET', KEYS[1], 'meta', ARGV[2])
keep(KEYS[1])
if redis.call('HLEN', KEYS[1]) == tonumber(ARGV[5]) then return {'complete'} end
return {'ok'}
";

/// state, commits, parts…; epoch, step, manifest, the one that it may replace (or empty), then meta and number of fields of each
/// part.
const COMMIT: &str = "
local last = redis.call('HGET', KEYS[1], 'committed')
if last and tonumber(ARGV[3]) <= tonumber(last) then
  local stored = redis.call('HGET', KEYS[2], last)
  if last == ARGV[3] and stored == ARGV[4] then return {'ok'} end
  if last ~= ARGV[3] or not stored or stored ~= ARGV[5] then return {'conflict', last} end
end
for i = 3, #KEYS do
  if redis.call('HGET', KEYS[i], 'meta') ~= ARGV[2 * i] or redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[2 * i + 1]) then
    return {'missing', string.format('%d', i - 3)}
  end
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[1], 'committed', ARGV[3])
keep(KEYS[1])
keep(KEYS[2])
return {'ok'}
";

/// state, commits; epoch, step.
const WITHDRAW: &str = "
local last = redis.call('HGET', KEYS[1], 'committed')
if not last or tonumber(last) < tonumber(ARGV[3]) then return {'ok'} end
if last ~= ARGV[3] then return {'conflict', last} end
local before = false
for _, step in ipairs(redis.call('HKEYS', KEYS[2])) do
  local number = tonumber(step)
  if number < tonumber(last) and (not before or number > tonumber(before)) then before = step end
end
if before then redis.call('HSET', KEYS[1], 'committed', before) else redis.call('HDEL', KEYS[1], 'committed') end
redis.call('HDEL', KEYS[2], last)
return {'ok'}
";

/// state, commits, index of parts, parts…; epoch, newest commit that the plan is made for (or empty), number of commits, their steps, names of
/// the parts.
const SWEEP: &str = "
if (redis.call('HGET', KEYS[1], 'committed') or '') ~= ARGV[3] then return {'moved'} end
local commits = tonumber(ARGV[4])
for i = 1, commits do redis.call('HDEL', KEYS[2], ARGV[4 + i]) end
for i = 4, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('ZREM', KEYS[3], ARGV[commits + 1 + i])
end
return {'ok'}
";

/// state, log; epoch, number, bytes.
const APPEND_LOG: &str = "
local length = redis.call('HLEN', KEYS[2])
if redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[4] then return {'ok'} end
if tonumber(ARGV[3]) ~= length then return {'conflict', string.format('%d', length)} end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
keep(KEYS[2])
return {'ok'}
";

/// log; first number, most entries, most bytes.
const READ_LOG: &str = "
local entries, bytes = {}, 0
for seq = tonumber(ARGV[2]), tonumber(ARGV[2]) + tonumber(ARGV[3]) - 1 do
  local entry = redis.call('HGET', KEYS[1], string.format('%d', seq))
  if not entry then break end
  bytes = bytes + #entry
  if #entries > 0 and bytes > tonumber(ARGV[4]) then break end
  entries[#entries + 1] = entry
end
return entries
";

/// lease, then what is deleted; `force` or nothing.
const REMOVE: &str = "
local by = redis.call('GET', KEYS[1])
if by and ARGV[2] ~= 'force' then return {'held', by, string.format('%d', redis.call('PTTL', KEYS[1]))} end
for i = 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
return {'ok'}
";
