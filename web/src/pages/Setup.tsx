import { Button, PasswordInput, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "react-router";
import { api, take } from "../api/client";
import { beginSession } from "../app/session";
import { ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { NewPasswordField } from "../parts/PasswordField";
import { useLinkToken } from "../parts/useLinkToken";
import { useSend } from "../parts/useSend";

/** The first account of a new box office. */
function Setup() {
  usePageTitle("Set up");
  const navigate = useNavigate();
  const setup_token = useLinkToken();
  const form = useForm({ initialValues: { setup_token, email: "", password: "" } });
  const setup = useSend({
    send: async (body: typeof form.values) => {
      await take(api.POST("/api/v1/admin/setup", { body }));
      const { email, password } = body;
      return take(api.POST("/api/v1/auth/session", { body: { email, password } }));
    },
    form,
    done: (session) => {
      beginSession(session);
      navigate("/", { replace: true });
    },
  });
  return (
    <>
      <Title order={1}>Welcome to your box office</Title>
      <p>This makes the first account, which may do everything. It invites the others.</p>
      <form className="stack" onSubmit={form.onSubmit((values) => setup.mutate(values))}>
        <ProblemNotice error={setup.error} />
        <PasswordInput
          label="Setup token"
          description="The program told it when it started."
          autoComplete="off"
          required
          visibilityToggleButtonProps={{ "aria-label": "Show the token", tabIndex: 0 }}
          {...form.getInputProps("setup_token")}
        />
        <TextInput
          label="E-mail address"
          type="email"
          autoComplete="username"
          required
          {...form.getInputProps("email")}
        />
        <NewPasswordField {...form.getInputProps("password")} />
        <Button type="submit" loading={setup.isPending}>
          Open the box office
        </Button>
      </form>
    </>
  );
}

export { Setup as Component };
