import { Anchor, Button, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { Link, Navigate, useLocation, useNavigate } from "react-router";
import { api, take } from "../api/client";
import { Problem } from "../api/problem";
import { beginSession, useSession } from "../app/session";
import { Notice, ProblemNotice } from "../parts/Notice";
import { usePageTitle } from "../parts/Page";
import { OwnPasswordField } from "../parts/PasswordField";
import { useSend } from "../parts/useSend";

type State = { from?: string; said?: string } | null;

/** Signs in: with the password, and then with a code where the account wants one. */
function Login() {
  usePageTitle("Sign in");
  const navigate = useNavigate();
  const { from = "/", said } = (useLocation().state as State) ?? {};
  const known = useSession();
  const [wantsCode, setWantsCode] = useState(false);
  const form = useForm({ initialValues: { email: "", password: "", code: "" } });
  const login = useSend({
    send: ({ email, password, code }: typeof form.values) => {
      const body = { email, password, ...(wantsCode && { code: code.replace(/\s/g, "") }) };
      return take(api.POST("/api/v1/auth/session", { body }));
    },
    form,
    done: (session) => {
      beginSession(session);
      navigate(from, { replace: true });
    },
  });
  const asksForCode = !!login.error && Problem.of(login.error).reason === "SECOND_FACTOR_REQUIRED";
  if (asksForCode && !wantsCode) setWantsCode(true);
  if (known.data && !login.isPending) return <Navigate to={from} replace />;
  return (
    <>
      <Title order={1}>Sign in</Title>
      {said && <Notice kind="good">{said}</Notice>}
      <form className="stack" onSubmit={form.onSubmit((values) => login.mutate(values))}>
        <ProblemNotice error={asksForCode ? null : login.error} />
        <TextInput
          label="E-mail address"
          type="email"
          autoComplete="username"
          required
          {...form.getInputProps("email")}
        />
        <OwnPasswordField {...form.getInputProps("password")} />
        {wantsCode && <CodeField {...form.getInputProps("code")} />}
        <Button type="submit" loading={login.isPending}>
          Sign in
        </Button>
      </form>
      <div className="row">
        <Anchor component={Link} to="/forgot-password">
          Forgot the password?
        </Anchor>
        <Anchor component={Link} to="/request-account">
          No account yet?
        </Anchor>
        <Anchor component={Link} to="/setup">
          A new box office?
        </Anchor>
      </div>
    </>
  );
}

function CodeField(props: ReturnType<ReturnType<typeof useForm>["getInputProps"]>) {
  return (
    <TextInput
      label="Code"
      description="The six digits of your authenticator app, or one of your recovery codes."
      autoComplete="one-time-code"
      required
      ref={(field) => {
        // It has just appeared, and is what is to be filled in next.
        if (field && !field.value) field.focus();
      }}
      {...props}
    />
  );
}

export { Login as Component };
