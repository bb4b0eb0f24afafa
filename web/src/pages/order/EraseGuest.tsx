import { Button, Switch, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { api, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";

/** Forgets who the guest was. For superadmins, when a guest asks for it. */
export function EraseGuest({ order }: { order: Schema["Order"] }) {
  const [open, { open: ask, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" onClick={ask}>
        Erase the guest
      </Button>
      <Dialog opened={open} onClose={close} title="Erase the guest">
        <Erase order={order} close={close} />
      </Dialog>
    </>
  );
}

function Erase({ order, close }: { order: Schema["Order"]; close: () => void }) {
  const form = useForm({ initialValues: { all_of_address: false, note: "" } });
  const erase = useSend({
    send: (body: typeof form.values) =>
      take(api.POST("/api/v1/admin/orders/{id}/erase-guest", { params: { path: { id: order.id } }, body })),
    changes: [["order", order.id], ["orders"], ["mails"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => erase.mutate(values))}>
      <Notice kind="warning" title="This is for ever">
        Name, address and phone of {order.email} are gone from the order and from every mail. Tickets and
        money stay.
      </Notice>
      <Switch
        label="From all orders of this address"
        {...form.getInputProps("all_of_address", { type: "checkbox" })}
      />
      <Textarea
        label="Why"
        description="For the record. Nothing about the guest, please."
        autosize
        maxLength={500}
        {...form.getInputProps("note")}
      />
      <ProblemNotice error={erase.error} />
      <div className="actions">
        <Button type="submit" color="red" loading={erase.isPending}>
          Erase the guest
        </Button>
        <Button variant="default" onClick={close}>
          Leave it as it is
        </Button>
      </div>
    </form>
  );
}
