import { Button, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { api, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";

/** For a guest who mistyped it, and has lost the page that corrects it. */
export function ChangeAddress({ order }: { order: Schema["Order"] }) {
  const [open, { open: ask, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" onClick={ask}>
        Correct the address
      </Button>
      <Dialog opened={open} onClose={close} title="Correct the address">
        <Change order={order} close={close} />
      </Dialog>
    </>
  );
}

function Change({ order, close }: { order: Schema["Order"]; close: () => void }) {
  const form = useForm({ initialValues: { email: "", reason: "" } });
  const change = useSend({
    send: (body: typeof form.values, key) =>
      take(
        api.POST("/api/v1/admin/orders/{id}/address", {
          params: { path: { id: order.id }, header: { "Idempotency-Key": key } },
          body,
        }),
      ),
    changes: [["order", order.id], ["orders"], ["mails"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => change.mutate(values))}>
      <Notice kind="warning" title="The tickets go with the address">
        Be sure that it is the guest who asks. The link that {order.email} got is dead from then on; the new
        address gets a new one, with the receipt or with how to pay.
      </Notice>
      <TextInput label="New address" type="email" maxLength={254} required {...form.getInputProps("email")} />
      <Textarea
        label="Why"
        description="For the record: how the guest showed who they are. No address, please."
        autosize
        maxLength={500}
        required
        {...form.getInputProps("reason")}
      />
      <ProblemNotice error={change.error} />
      <div className="actions">
        <Button type="submit" loading={change.isPending}>
          Correct the address
        </Button>
        <Button variant="default" onClick={close}>
          Leave it as it is
        </Button>
      </div>
    </form>
  );
}
