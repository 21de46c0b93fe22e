/**
 * What the text for Prometheus guarantees: every metric's head, samples in order, nothing that breaks a line.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { prometheusText } from "../../../src/base/prometheus.ts";

Deno.test("prometheusText() prints heads, labels in order and histograms' samples", () => {
  const text = prometheusText([
    { name: "up", help: "Whether it is up", type: "gauge", samples: [[{}, 1]] },
    {
      name: "took_seconds",
      help: "How long it took",
      type: "histogram",
      samples: [
        [{ worker: 0, le: 0.5 }, 2, "_bucket"],
        [{ worker: 0, le: "+Inf" }, 3, "_bucket"],
        [{ worker: 0 }, 1.5, "_sum"],
        [{ worker: 0 }, 3, "_count"],
      ],
    },
    { name: "none_total", help: "Nothing yet", type: "counter", samples: [] },
  ]);
  assertEquals(
    text,
    `# HELP up Whether it is up
# TYPE up gauge
up 1

# HELP took_seconds How long it took
# TYPE took_seconds histogram
took_seconds_bucket{worker="0",le="0.5"} 2
took_seconds_bucket{worker="0",le="+Inf"} 3
took_seconds_sum{worker="0"} 1.5
took_seconds_count{worker="0"} 3

# HELP none_total Nothing yet
# TYPE none_total counter
`,
  );
});

Deno.test("prometheusText() escapes what would end a label or a line, and names what is no number", () => {
  const samples = [[{ a: 'x"\\\n' }, NaN], [{}, Infinity], [{}, -Infinity]] as const;
  const text = prometheusText([{ name: "n", help: "a\nb\\", type: "gauge", samples }]);
  assertEquals(text.split("\n").slice(0, 5), [
    "# HELP n a\\nb\\\\",
    "# TYPE n gauge",
    'n{a="x\\"\\\\\\n"} NaN',
    "n +Inf",
    "n -Inf",
  ]);
});
