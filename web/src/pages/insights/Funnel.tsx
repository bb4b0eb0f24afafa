import type { Schema } from "../../api/client";
import { figure } from "../../words/event";

/** From a look at the page to paid tickets: how many came so far, and what share of the step before. */
export function Funnel({ total, conversion }: Pick<Schema["EventInsights"], "total" | "conversion">) {
  const steps: [string, number, number | null][] = [
    ["Looked at it", total.views, null],
    ["Held tickets", total.holds, conversion.views_to_holds ?? null],
    ["Ordered", total.orders, conversion.holds_to_orders ?? null],
    ["Paid", total.paid_orders, conversion.orders_to_paid ?? null],
  ];
  const most = Math.max(1, ...steps.map(([, count]) => count));
  const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
  return (
    <ol className="funnel" aria-label="From a look to paid tickets">
      {steps.map(([name, count, share]) => (
        <li key={name}>
          <span>{name}</span>
          <span className="number">
            <strong>{figure(count)}</strong>{" "}
            {share !== null && (
              <span className="quiet small">{percent.format(share)} of the step before</span>
            )}
          </span>
          <svg width="100%" height="10" aria-hidden="true">
            <rect className="track" width="100%" height="10" rx="5" />
            <rect className="series-0" width={`${(count / most) * 100}%`} height="10" rx="5" />
          </svg>
        </li>
      ))}
    </ol>
  );
}
