/**
 * The old process's side of an upgrade, without its process.
 *
 * @module
 */

import type { ProcessLife } from "../../src/base/process_life.ts";
import { describeOld, type OfferSubject, UpgradeOffer } from "../../src/proxy/upgrade/offer.ts";
import { OtherProcess } from "../../src/proxy/upgrade/other_process.ts";
import type { Timers } from "../../src/base/timers.ts";
import type { Store } from "../../src/store/store.ts";
import { RECORD } from "./proxy_record.ts";

/**
 * Offers to be taken over from; it listens for one client port, and has applied no action.
 *
 * @param store The store that it works with at that moment.
 * @param parts What is not as in a process that only serves.
 * @param timers Those of the runtime by default.
 */
export function openOffer(
  life: ProcessLife,
  store: () => Store,
  parts: Partial<OfferSubject> = {},
  timers?: Timers,
): UpgradeOffer {
  return UpgradeOffer.open(life, {
    other: new OtherProcess(),
    describe: () => describeOld(store(), RECORD, { ports: [1], workers: 1, httpPort: 2 }),
    newestAction: () => "",
    newestInHand: () => "",
    drain: { hasBegun: false, callOff: () => false },
    isStopping: () => false,
    setAlone: () => Promise.resolve(),
    leave: () => {},
    ...parts,
  }, timers)!;
}
