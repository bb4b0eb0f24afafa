import { api, type Schema, take } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Notice } from "../../parts/Notice";

const DECISIONS: [Schema["MismatchDecision"], string, string][] = [
  [
    "accept",
    "Accept it",
    "What came is taken as the price: the tickets are issued, and the receipt goes out.",
  ],
  ["refund", "Send it back", "What came goes back to the guest, and the tickets are free again."],
  [
    "cancel",
    "Cancel the order",
    "Nothing came that could be kept or sent back: the order ends, and its tickets are free again.",
  ],
];

/** A payment that differs from its order waits for a person. */
export function Mismatch({ orderId: id }: { orderId: string }) {
  return (
    <Notice kind="warning" title="The payment differs from the order">
      <p>Compare the payments below with the sum of the order, then decide.</p>
      <div className="actions">
        {DECISIONS.map(([decision, label, consequence]) => (
          <Confirm
            key={decision}
            label={label}
            title={label}
            isDanger={decision !== "accept"}
            act={() =>
              take(
                api.POST("/api/v1/admin/orders/{id}/resolve-mismatch", {
                  params: { path: { id } },
                  body: { decision },
                }),
              )
            }
            changes={[["order", id], ["orders"], ["mails"]]}
          >
            {consequence}
          </Confirm>
        ))}
      </div>
    </Notice>
  );
}
