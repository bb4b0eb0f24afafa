import { Button, Select, Switch, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { api, type Schema, take } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";

type Account = Schema["Account"];

const ROLES = [
  { value: "admin", label: "Admin" },
  { value: "superadmin", label: "Superadmin" },
];

/** What a superadmin does about somebody else's account. */
export function AccountMenu({ account }: { account: Account }) {
  const [open, { open: ask, close }] = useDisclosure();
  const { id, email } = account;
  return (
    <span className="row">
      <Button size="xs" variant="default" onClick={ask} aria-label={`Change ${email}`}>
        Change
      </Button>
      {account.second_factor && (
        <Confirm
          label="Reset second factor"
          title={`Reset the second factor of ${email}`}
          size="xs"
          isDanger
          act={() =>
            take(api.POST("/api/v1/admin/users/{id}/reset-second-factor", { params: { path: { id } } }))
          }
          changes={[["users"]]}
        >
          Their password alone signs them in again. Do this only when you are sure who asks for it.
        </Confirm>
      )}
      <Dialog opened={open} onClose={close} title={email}>
        <ChangeForm account={account} close={close} />
      </Dialog>
    </span>
  );
}

function ChangeForm({ account, close }: { account: Account; close: () => void }) {
  const form = useForm({
    initialValues: { role: account.role, active: account.status === "active", note: "" },
  });
  const change = useSend({
    send: ({ role, active, note }: typeof form.values) =>
      take(
        api.PATCH("/api/v1/admin/users/{id}", {
          params: { path: { id: account.id } },
          body: { role, status: active ? "active" : "disabled", ...(note && { note }) },
        }),
      ),
    changes: [["users"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => change.mutate(values))}>
      <ProblemNotice error={change.error} />
      <Select label="Role" data={ROLES} allowDeselect={false} {...form.getInputProps("role")} />
      <Switch
        label="May sign in"
        description="Off: their sessions end at once. What they did stays on record."
        {...form.getInputProps("active", { type: "checkbox" })}
      />
      <Textarea
        label="Why"
        description="For the record."
        maxLength={500}
        autosize
        {...form.getInputProps("note")}
      />
      <Button type="submit" loading={change.isPending}>
        Save
      </Button>
    </form>
  );
}
