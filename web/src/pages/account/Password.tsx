import { Button } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, take } from "../../api/client";
import { useUser } from "../../app/session";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { NewPasswordField, OwnPasswordField } from "../../parts/PasswordField";
import { useSend } from "../../parts/useSend";

export function Password() {
  const { email } = useUser();
  const form = useForm({ initialValues: { current_password: "", new_password: "" } });
  const change = useSend({
    send: (body: typeof form.values) => take(api.POST("/api/v1/auth/password", { body })),
    changes: [["sessions"]],
    form,
    done: () => form.reset(),
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => change.mutate(values))}>
      <ProblemNotice error={change.error} />
      {change.isSuccess && (
        <Notice kind="good">Your password is changed; your other sessions have ended.</Notice>
      )}
      {/* So that a password manager knows whose it is. */}
      <input type="email" name="email" value={email} autoComplete="username" readOnly hidden />
      <div className="fields">
        <OwnPasswordField label="Password of now" {...form.getInputProps("current_password")} />
        <NewPasswordField label="New password" {...form.getInputProps("new_password")} />
      </div>
      <div className="actions">
        <Button type="submit" variant="default" loading={change.isPending}>
          Change the password
        </Button>
      </div>
    </form>
  );
}
