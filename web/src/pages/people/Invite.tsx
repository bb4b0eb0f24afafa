import { Button, Select, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { api, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";

const ROLES: { value: Schema["GivenRole"]; label: string }[] = [
  { value: "admin", label: "Admin: their own concerts, and those they are let into" },
  { value: "superadmin", label: "Superadmin: everything" },
];

export function Invite() {
  const [open, { open: ask, close }] = useDisclosure();
  return (
    <>
      <Button onClick={ask}>Invite somebody</Button>
      <Dialog opened={open} onClose={close} title="Invite somebody">
        <InviteForm close={close} />
      </Dialog>
    </>
  );
}

function InviteForm({ close }: { close: () => void }) {
  const form = useForm<{ email: string; role: Schema["GivenRole"] }>({
    initialValues: { email: "", role: "admin" },
  });
  const invite = useSend({
    send: (values: typeof form.values) =>
      take(api.POST("/api/v1/admin/invitations", { body: { ...values, locale: navigator.language } })),
    changes: [["invitations"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => invite.mutate(values))}>
      <ProblemNotice error={invite.error} />
      <TextInput label="E-mail address" type="email" required {...form.getInputProps("email")} />
      <Select label="As" data={ROLES} allowDeselect={false} {...form.getInputProps("role")} />
      <Button type="submit" loading={invite.isPending}>
        Send the invitation
      </Button>
    </form>
  );
}
