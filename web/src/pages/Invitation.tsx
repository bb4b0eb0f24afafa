import { Button, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "react-router";
import { api, take } from "../api/client";
import { beginSession } from "../app/session";
import { Notice, ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { NewPasswordField } from "../parts/PasswordField";
import { useLinkToken } from "../parts/useLinkToken";
import { useSend } from "../parts/useSend";

/** Where the link of an invitation leads: an account. */
function Invitation() {
  usePageTitle("Your invitation");
  const navigate = useNavigate();
  const invitation = useLinkToken();
  const form = useForm({ initialValues: { email: "", password: "" } });
  const register = useSend({
    send: async (account: typeof form.values) => {
      await take(api.POST("/api/v1/auth/register", { body: { ...account, invitation } }));
      return take(api.POST("/api/v1/auth/session", { body: account }));
    },
    form,
    done: (session) => {
      beginSession(session);
      navigate("/", { replace: true });
    },
  });
  if (!invitation) {
    return (
      <Notice kind="error" title="This link is not complete">
        Open the link of the mail once more, or ask who invited you for another one.
      </Notice>
    );
  }
  return (
    <>
      <Title order={1}>You are invited</Title>
      <p>Make your account for the box office.</p>
      <form className="stack" onSubmit={form.onSubmit((values) => register.mutate(values))}>
        <ProblemNotice error={register.error} />
        <TextInput
          label="E-mail address"
          description="The one the invitation came to."
          type="email"
          autoComplete="username"
          required
          {...form.getInputProps("email")}
        />
        <NewPasswordField {...form.getInputProps("password")} />
        <Button type="submit" loading={register.isPending}>
          Make the account
        </Button>
      </form>
    </>
  );
}

export { Invitation as Component };
