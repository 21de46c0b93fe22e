/**
 * The route of the history: figures of the cluster, a group, a server or a proxy.
 *
 * @module
 */

import { InputError } from "../../control/errors.ts";
import { FIGURES_SPANS } from "../../monitor/figure_history.ts";
import { type ApiRoute, readMonitored } from "./route.ts";

/** What a history can be of. */
const SUBJECT = /^(cluster|group\/\d+|(server|proxy)\/.+)$/;

/** See the header. */
export const HISTORY_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/history", ({ dashboard, url: { searchParams } }) => {
    const subject = searchParams.get("of") ?? "cluster";
    if (!SUBJECT.test(subject)) {
      throw new InputError("of", "cluster, group/NUMBER, server/HOST:PORT or proxy/NAME", subject);
    }
    const name = searchParams.get("span") ?? "1h";
    const span = FIGURES_SPANS.find((each) => each === name);
    if (span === undefined) throw new InputError("span", FIGURES_SPANS.join(", "), name);
    return Promise.resolve(dashboard.monitor.figures.view(subject, span));
  }),
];
