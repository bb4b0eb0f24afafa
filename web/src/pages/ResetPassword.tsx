import { Button, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link, useNavigate } from "react-router";
import { api, take } from "../api/client";
import { endSession } from "../app/session";
import { Notice, ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { NewPasswordField } from "../parts/PasswordField";
import { useLinkToken } from "../parts/useLinkToken";
import { useSend } from "../parts/useSend";

/** Where the link of a mail leads: another password. */
function ResetPassword() {
  usePageTitle("Another password");
  const navigate = useNavigate();
  const token = useLinkToken();
  const form = useForm({ initialValues: { password: "" } });
  const reset = useSend({
    send: ({ password }: { password: string }) =>
      take(api.POST("/api/v1/auth/password-resets/redeem", { body: { token, password } })),
    form,
    done: () => {
      endSession();
      navigate("/login", { state: { said: "Your password is changed. Sign in with the new one." } });
    },
  });
  if (!token) {
    return (
      <Notice kind="error" title="This link is not complete">
        Open the link of the mail once more, or <Link to="/forgot-password">ask for another one</Link>.
      </Notice>
    );
  }
  return (
    <>
      <Title order={1}>Choose another password</Title>
      <p>Wherever you are signed in now, you will be signed out.</p>
      <form className="stack" onSubmit={form.onSubmit((values) => reset.mutate(values))}>
        <ProblemNotice error={reset.error} />
        <NewPasswordField label="New password" {...form.getInputProps("password")} />
        <Button type="submit" loading={reset.isPending}>
          Change the password
        </Button>
      </form>
    </>
  );
}

export { ResetPassword as Component };
