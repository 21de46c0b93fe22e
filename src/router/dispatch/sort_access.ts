/**
 * SORT's BY and GET, which read keys that the request does not name: for users that may read every key.
 *
 * @module
 */

import type { AccessRefusal } from "../../acl/acl_log.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";

/**
 * The option of a SORT that a user may not use who may not read every key, in Redis's words; null when there
 * is none. Read as SORT reads its options, up to the first that is wrong. Borrows the arguments.
 */
export function deniedSortOption(args: Arguments): AccessRefusal | null {
  for (let i = 2; i < args.count; i++) {
    const left = args.count - 1 - i;
    const option = latin1(args.bytes, args.start(i), Math.min(args.end(i), args.start(i) + 8));
    switch (option.toLowerCase()) {
      case "asc":
      case "desc":
      case "alpha":
        break;
      case "limit":
        i += 2;
        break;
      case "store":
        i += 1;
        break;
      case "by":
        if (left >= 1 && args.bytes.subarray(args.start(i + 1), args.end(i + 1)).includes(STAR)) {
          return denied("BY");
        }
        i += 1;
        break;
      case "get":
        if (left >= 1) return denied("GET");
        break;
      default:
        return null; // a syntax error
    }
  }
  return null;
}

const STAR = 42;

function denied(option: string): AccessRefusal {
  return {
    text: `ERR ${option} option of SORT denied due to insufficient ACL permissions.`,
    event: null,
  };
}
