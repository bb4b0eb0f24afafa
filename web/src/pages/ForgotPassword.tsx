import { Anchor, Button, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link } from "react-router";
import { api, take } from "../api/client";
import { Notice, ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { useSend } from "../parts/useSend";

/** Asks for a link to another password. */
function ForgotPassword() {
  usePageTitle("Forgot the password");
  const form = useForm({ initialValues: { email: "" } });
  const ask = useSend({
    send: ({ email }: { email: string }) =>
      take(api.POST("/api/v1/auth/password-resets", { body: { email, locale: navigator.language } })),
    form,
  });
  return (
    <>
      <Title order={1}>Forgot the password?</Title>
      {ask.isSuccess ? (
        <Notice kind="good" title="Look into your mail">
          If {form.values.email} has an account, a link to choose another password is on its way.
        </Notice>
      ) : (
        <form className="stack" onSubmit={form.onSubmit((values) => ask.mutate(values))}>
          <p>We send you a link to choose another one.</p>
          <ProblemNotice error={ask.error} />
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            {...form.getInputProps("email")}
          />
          <Button type="submit" loading={ask.isPending}>
            Send the link
          </Button>
        </form>
      )}
      <Anchor component={Link} to="/login">
        Back to sign in
      </Anchor>
    </>
  );
}

export { ForgotPassword as Component };
