import { Anchor, Button, Textarea, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link } from "react-router";
import { api, take } from "../api/client";
import { Notice, ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { useSend } from "../parts/useSend";

/** Asks for an account; whoever runs the box office decides. */
function RequestAccount() {
  usePageTitle("Ask for an account");
  const form = useForm({ initialValues: { email: "", note: "" } });
  const ask = useSend({
    send: (values: typeof form.values) =>
      take(api.POST("/api/v1/auth/account-requests", { body: { ...values, locale: navigator.language } })),
    form,
  });
  return (
    <>
      <Title order={1}>Ask for an account</Title>
      {ask.isSuccess ? (
        <Notice kind="good" title="You have asked">
          Whoever runs this box office decides. If they agree, a link to make the account goes to{" "}
          {form.values.email}.
        </Notice>
      ) : (
        <form className="stack" onSubmit={form.onSubmit((values) => ask.mutate(values))}>
          <p>Accounts are for those who sell. To buy tickets you need none.</p>
          <ProblemNotice error={ask.error} />
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="email"
            required
            {...form.getInputProps("email")}
          />
          <Textarea
            label="Who you are, and what you sell"
            maxLength={500}
            autosize
            minRows={2}
            {...form.getInputProps("note")}
          />
          <Button type="submit" loading={ask.isPending}>
            Ask
          </Button>
        </form>
      )}
      <Anchor component={Link} to="/login">
        Back to sign in
      </Anchor>
    </>
  );
}

export { RequestAccount as Component };
