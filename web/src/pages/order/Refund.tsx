import { Button, NumberInput, Radio, Textarea, TextInput } from "@mantine/core";
import { type UseFormReturnType, useForm } from "@mantine/form";
import { api, type Schema, take } from "../../api/client";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";
import { money, parseMoney } from "../../words/money";
import { bodyOf, preview, refundable, returnable, type Wish } from "./refund";

type Story = Schema["OrderStory"];
type Values = { kind: Wish["kind"]; quantities: Record<string, number>; amount: string; reason: string };
type Form = UseFormReturnType<Values>;

function wishOf({ kind, quantities, amount }: Values, currency: string): Wish {
  if (kind === "tickets") return { kind, quantities };
  if (kind === "amount") return { kind, amount_minor: parseMoney(amount, currency) };
  return { kind };
}

/** Sends money back; says how much before. */
export function Refund({ story, close }: { story: Story; close: () => void }) {
  const { id, total_amount } = story.order;
  const { currency } = total_amount;
  const form: Form = useForm<Values>({
    initialValues: { kind: "all", quantities: {}, amount: "", reason: "" },
  });
  const refund = useSend<Schema["NewRefund"]>({
    send: (body, key) =>
      take(
        api.POST("/api/v1/admin/orders/{id}/refunds", {
          params: { path: { id }, header: { "Idempotency-Key": key } },
          body,
        }),
      ),
    changes: [["order", id], ["orders"], ["mails"]],
    form,
    done: close,
  });
  const wish = wishOf(form.values, currency);
  const goesBack = preview(story, wish);
  return (
    <form
      className="stack"
      onSubmit={form.onSubmit(({ reason }) => refund.mutate(bodyOf(wish, reason, currency)))}
    >
      <p>
        {money({ amount_minor: refundable(story), currency })} of {money(total_amount)} can go back.
      </p>
      <Choice form={form} story={story} currency={currency} />
      <Textarea
        label="Reason"
        description="The guest is told."
        required
        autosize
        maxLength={500}
        {...form.getInputProps("reason")}
      />
      <Consequence wish={wish} goesBack={goesBack && money(goesBack)} email={story.order.email} />
      <ProblemNotice error={refund.error} />
      <div className="actions">
        <Button type="submit" color="red" disabled={!goesBack} loading={refund.isPending}>
          {goesBack ? `Send ${money(goesBack)} back` : "Send back"}
        </Button>
        <Button variant="default" onClick={close}>
          Leave it as it is
        </Button>
      </div>
    </form>
  );
}

function Choice({ form, story, currency }: { form: Form; story: Story; currency: string }) {
  const { kind, quantities } = form.values;
  const lines = story.order.lines.filter((line) => returnable(line) > 0);
  return (
    <>
      <Radio.Group label="What goes back" {...form.getInputProps("kind")}>
        <div className="stack">
          <Radio value="all" label="Everything that is left" />
          <Radio value="tickets" label="Some tickets" />
          <Radio value="amount" label="A part of the money; the tickets stay valid" />
        </div>
      </Radio.Group>
      {kind === "tickets" && (
        <div className="fields">
          {lines.map((line) => (
            <NumberInput
              key={line.ticket_type_id}
              label={line.category}
              description={`Of ${returnable(line)}, ${money(line.unit_price)} each.`}
              min={0}
              max={returnable(line)}
              clampBehavior="strict"
              allowDecimal={false}
              value={quantities[line.ticket_type_id] ?? 0}
              onChange={(value) =>
                form.setFieldValue("quantities", { ...quantities, [line.ticket_type_id]: Number(value) || 0 })
              }
            />
          ))}
        </div>
      )}
      {kind === "amount" && (
        <TextInput
          label={`Amount in ${currency}`}
          inputMode="decimal"
          required
          {...form.getInputProps("amount")}
        />
      )}
    </>
  );
}

function Consequence({ wish, goesBack, email }: { wish: Wish; goesBack: string | null; email: string }) {
  if (!goesBack) return <Notice kind="info">Choose what goes back, at most what is left.</Notice>;
  return (
    <Notice kind="warning" title={`${goesBack} goes back`}>
      {wish.kind === "amount"
        ? "Every ticket stays valid. "
        : "These tickets are void at once, and can be sold again. "}
      {email} gets a mail. This cannot be taken back.
    </Notice>
  );
}
