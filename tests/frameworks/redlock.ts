/**
 * redlock: a lock that keeps others out, is extended, released, and taken again.
 *
 * @module
 */

import { Redis } from "ioredis";
import Redlock from "redlock";
import { connection, report } from "./program.ts";

const client = new Redis(connection);
const locks = new Redlock([client], { retryCount: 0 });
const patient = new Redlock([client], { retryCount: 50, retryDelay: 20 });
const lock = await locks.lock(["lock:a"], 5_000);
const refused = await locks.lock(["lock:a"], 5_000).then(() => "taken", (e: Error) => e.name);
const extended = await lock.extend(5_000);
const waiting = patient.lock(["lock:a"], 1_000);
await extended.unlock();
const second = await waiting;
await second.unlock();
report({ refused, left: await client.exists("lock:a") });
