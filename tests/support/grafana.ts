/**
 * Grafana's files, as far as tests look at them.
 *
 * @module
 */

/** A dashboard's file. */
export interface GrafanaDashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly gridPos: { x: number; y: number; w: number; h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** The expressions of all panels, with what Grafana puts in place of its variables. */
export function expressionsOf({ panels }: GrafanaDashboard): string[] {
  return panels.flatMap(({ targets = [] }) => targets).map(({ expr }) =>
    expr.replaceAll("$__rate_interval", "1m").replaceAll('"$job"', '".*"')
      .replaceAll('"$instance"', '".*"')
  );
}
