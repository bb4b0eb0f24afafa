import { Button, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { api, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { OwnPasswordField } from "../../parts/PasswordField";
import { Qr } from "../../parts/Qr";
import { useSend } from "../../parts/useSend";

export function SecondFactor({ isOn }: { isOn: boolean }) {
  const [open, { open: ask, close }] = useDisclosure();
  return (
    <div className="stack">
      {isOn ? (
        <p>Signing in takes a code of your authenticator app, too.</p>
      ) : (
        <p>
          With a second factor your password alone opens nothing. It needs an authenticator app on your phone.
        </p>
      )}
      <div className="actions">
        <Button variant={isOn ? "default" : "filled"} onClick={ask}>
          {isOn ? "Take it away" : "Set it up"}
        </Button>
      </div>
      <Dialog
        opened={open}
        onClose={close}
        title={isOn ? "Take the second factor away" : "Set up a second factor"}
      >
        {isOn ? <Remove close={close} /> : <SetUp close={close} />}
      </Dialog>
    </div>
  );
}

function Remove({ close }: { close: () => void }) {
  const form = useForm({ initialValues: { password: "" } });
  const remove = useSend({
    send: (body: { password: string }) => take(api.POST("/api/v1/auth/second-factor/remove", { body })),
    changes: [["me"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => remove.mutate(values))}>
      <p>The password alone will sign you in again, and your recovery codes are void.</p>
      <ProblemNotice error={remove.error} />
      <OwnPasswordField {...form.getInputProps("password")} />
      <Button type="submit" color="red" loading={remove.isPending}>
        Take it away
      </Button>
    </form>
  );
}

/** The password, then the secret, then a code that proves that it arrived, then the recovery codes. */
function SetUp({ close }: { close: () => void }) {
  const [secret, setSecret] = useState<Schema["NewSecondFactor"]>();
  const [codes, setCodes] = useState<string[]>();
  if (codes) return <Codes codes={codes} close={close} />;
  if (secret) return <Prove secret={secret} done={setCodes} />;
  return <Begin done={setSecret} />;
}

function Begin({ done }: { done: (secret: Schema["NewSecondFactor"]) => void }) {
  const form = useForm({ initialValues: { password: "" } });
  const begin = useSend({
    send: (body: { password: string }) => take(api.POST("/api/v1/auth/second-factor", { body })),
    form,
    done,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => begin.mutate(values))}>
      <ProblemNotice error={begin.error} />
      <OwnPasswordField {...form.getInputProps("password")} />
      <Button type="submit" loading={begin.isPending}>
        Go on
      </Button>
    </form>
  );
}

function Prove({ secret, done }: { secret: Schema["NewSecondFactor"]; done: (codes: string[]) => void }) {
  const form = useForm({ initialValues: { code: "" } });
  const confirm = useSend({
    send: ({ code }: { code: string }) =>
      take(api.POST("/api/v1/auth/second-factor/confirm", { body: { code: code.replace(/\s/g, "") } })),
    form,
    done: ({ recovery_codes }) => done(recovery_codes),
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => confirm.mutate(values))}>
      <p>Scan this with your authenticator app, or type the secret into it.</p>
      <Qr text={secret.address} name="The secret as a QR code" />
      <code>{secret.secret.replace(/(.{4})/g, "$1 ")}</code>
      <ProblemNotice error={confirm.error} />
      <TextInput
        label="The code that the app shows now"
        inputMode="numeric"
        autoComplete="one-time-code"
        required
        {...form.getInputProps("code")}
      />
      <Button type="submit" loading={confirm.isPending}>
        Switch it on
      </Button>
    </form>
  );
}

function Codes({ codes, close }: { codes: string[]; close: () => void }) {
  const end = useSend({ send: async () => undefined, changes: [["me"]], done: close });
  return (
    <div className="stack">
      <Notice kind="good" title="The second factor is on">
        Keep these recovery codes where you find them without your phone. Each signs you in once, and they are
        shown only now.
      </Notice>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="actions">
        <Button variant="default" onClick={() => navigator.clipboard?.writeText(codes.join("\n"))}>
          Copy them
        </Button>
        <Button onClick={() => end.mutate()}>I have them</Button>
      </div>
    </div>
  );
}
