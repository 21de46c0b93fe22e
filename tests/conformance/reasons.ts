/**
 * Why tests that pass on one redis-server must fail through the proxy.
 *
 * A test without a reason here is work to do.
 *
 * @module
 */

/** Tests that fail for one reason. */
interface Reason {
  readonly unit: RegExp;
  readonly test: RegExp;
  readonly why: string;
  /** Whether the test may wait for what cannot come, though no request is without its reply. */
  readonly waitsInVain?: boolean;
}

const EITHER_FIRST =
  "two clients send without waiting for each other: over two connections, either may be the first";

/** The first one that fits is given. */
const REASONS: readonly Reason[] = [
  {
    unit: /^unit\/acl$/,
    test: /^ACL LOG entries are limited to a maximum amount$/,
    why: "acllog-max-len is a parameter of the servers; the proxy's ACL LOG keeps 128 entries",
  },
  {
    unit: /^unit\/acl$/,
    test:
      /^(default: with config acl-pubsub-default allchannels after reset, can access any channels|Update acl-pubsub-default, existing users shouldn't get affected|Single channel is not valid with allchannels)$/,
    why: "the proxy has no acl-pubsub-default: new users may use no channel, as by Redis's default",
  },
  {
    unit: /^unit\/acl-v2$/,
    test: /^(Test separate read and write permissions|Test sort with ACL permissions)$/,
    why: "it uses keys of several slots in one command",
  },
  {
    unit: /^unit\/type\/(list|stream-cgroups)$/,
    test:
      /^(BRPOPLPUSH does not affect WATCH while still blocked|PUSH resulting from BRPOPLPUSH affect WATCH|Blocking XREADGROUP: (key deleted|key type changed with (SET|transaction)|flushed DB))$/,
    why: EITHER_FIRST,
  },
  {
    unit: /^unit\/type\/list$/,
    test: /^BRPOPLPUSH with multiple blocked clients$/,
    why: `${EITHER_FIRST}; the one that the test does not expect then takes the element`,
    waitsInVain: true,
  },
  {
    unit: /^unit\/type\/stream-cgroups$/,
    test: /^Blocking XREAD: (key deleted|key type changed with SET)$/,
    why:
      `${EITHER_FIRST}; the last entry, after which the test reads, may then be the one it waits for`,
    waitsInVain: true,
  },
  {
    unit: /^unit\/pubsub$/,
    test:
      /^PUBLISH\/(SUBSCRIBE after UNSUBSCRIBE|PSUBSCRIBE after PUNSUBSCRIBE) without arguments$/,
    why: EITHER_FIRST,
  },
  {
    unit: /^unit\/type\/zset$/,
    test: /^BZMPOP with multiple blocked clients$/,
    why:
      "clients that block while their slot moves block again at its new server, and there in any order",
  },
  {
    unit: /^unit\/dump$/,
    test: /^MIGRATE cached connections are released after some time$/,
    why: "slots move by MIGRATE: servers keep its connections",
  },
  {
    unit: /^unit\/tracking$/,
    test: /^Server is able to evacuate enough keys when num of keys surpasses limit by more /,
    why:
      "tracking-table-max-keys holds for each of two servers, so that one key more stays tracked",
    waitsInVain: true,
  },
  {
    unit: /^unit\/tracking$/,
    test: /^Tracking invalidation message of eviction keys should be before response$/,
    why: "maxmemory is computed from the memory of two servers, so that neither evicts a key",
  },
  {
    unit: /^unit\/tracking$/,
    test: /^flushdb tracking invalidation message is not interleaved with transaction response$/,
    why: "FLUSHDB asks all servers, and a transaction is executed by one",
  },
  {
    unit: /^unit\/introspection$/,
    test: /^MONITOR can log commands issued by (the scripting engine|functions)$/,
    why: "MONITOR shows what clients ask; what a script does at its server, the proxy does not see",
    waitsInVain: true,
  },
  {
    unit: /^unit\/pause$/,
    test: /^Test both active and passive expires are skipped during client pause$/,
    why: "the proxy's clients are paused, the servers are not",
  },
  {
    unit: /^unit\/(scripting|functions)$/,
    test:
      /^(Script read key with expiration set|FUNCTION - test fcall_ro with read only commands)$/,
    why: "the script declares no key: it runs on one server, and the key may be on another",
  },
  {
    unit: /^unit\/(scripting|functions)$/,
    test:
      /^(Timedout read-only scripts can be killed by SCRIPT KILL( even when use pcall)?|Timedout script does not cause a false dead client|FUNCTION - test (function kill|script kill not working on function|function kill not working on eval))$/,
    why: "PING is answered by the proxy, also while a server is busy",
  },
  {
    unit: /^unit\/scripting$/,
    test: /^Script ACL check$/,
    why: "redis.acl_check_cmd answers for the user with which the proxy logs in to the server",
  },
  {
    unit: /^unit\/scripting$/,
    test: /^SCRIPT EXISTS - can detect already defined scripts\?$/,
    why: "EVAL loads a script into one server; SCRIPT EXISTS says 1 when all have it",
  },
  {
    unit: /^unit\/introspection-2$/,
    test: /^command stats for EXPIRE$/,
    why: "servers also count what moves keys",
  },
  {
    unit: /^unit\/slowlog$/,
    test: /^SLOWLOG - Rewritten commands are logged as their original command$/,
    why: "the proxy logs a transaction as one entry, EXEC",
  },
  {
    unit: /^unit\/latency-monitor$/,
    test: /^LATENCY (LATEST output is ok|of expire events are correctly collected)$/,
    why: "LATENCY's events are the proxy's own: the stages of slow requests",
  },
  {
    unit: /^unit\/introspection$/,
    test: /^CONFIG SET rollback on apply error$/,
    why: "it sets port, by which proxies reach the server",
  },
  {
    unit: /^unit\/multi$/,
    test: /^MULTI(-EXEC body)? and script timeout$/,
    why: "servers are not asked before EXEC: then the script has ended, and the whole is executed",
  },
  {
    unit: /^unit\/hyperloglog$/,
    test: /^HyperLogLog self test passes$/,
    why: "PFSELFTEST tests one server's code, and blocks that server meanwhile",
  },
  {
    unit: /^unit\/hyperloglog$/,
    test:
      /^(HyperLogLogs are promote|HyperLogLog sparse|Corrupted sparse HyperLogLogs doesn't|PFDEBUG)/,
    why: "PFDEBUG shows how a server stores a key: it is refused, ask that server",
  },
  {
    unit: /^unit\/querybuf$/,
    test: /^query buffer resized correctly/,
    why: "the proxy has no buffer for each client that is idle: qbuf in CLIENT LIST is 0",
  },
  {
    unit: /^unit\/type\/stream-cgroups$/,
    test: /^XGROUP DESTROY should unblock XREADGROUP with -NOGROUP$/,
    why: "total_error_replies is the proxy's own count, and CONFIG RESETSTAT resets the servers'",
  },
  {
    unit: /^unit\/scan$/,
    test: /^SCAN TYPE$/,
    why: "a key that moves during a SCAN may be given twice, as SCAN allows",
  },
  {
    unit: /^unit\/introspection-2$/,
    test: /^TTL, TYPE and EXISTS do not alter the last access time of a key$/,
    why: "a key that is moved counts as used: MIGRATE does not carry its idle time",
  },
];

/** What the table of failures says where there is no reason. */
export const NO_REASON = "no reason known";

function find(unit: string, test: string): Reason | undefined {
  return REASONS.find((reason) => reason.unit.test(unit) && reason.test.test(test));
}

/** Why this test must fail, or {@linkcode NO_REASON}. */
export function reasonFor(unit: string, test: string): string {
  return find(unit, test)?.why ?? NO_REASON;
}

/** Whether this test may wait for what cannot come, though no request is without its reply. */
export function mayWaitInVain(unit: string, test: string): boolean {
  return find(unit, test)?.waitsInVain === true;
}
