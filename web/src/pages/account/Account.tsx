import { useQuery } from "@tanstack/react-query";
import { api, take } from "../../api/client";
import { useUser } from "../../app/session";
import { Answer } from "../../parts/Answer";
import { Facts } from "../../parts/Facts";
import { Page, Section } from "../../parts/Page";
import { ApiKeys } from "./ApiKeys";
import { Password } from "./Password";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";

/** One's own account. */
function Account() {
  const { id, email, role } = useUser();
  const me = useQuery({ queryKey: ["me"], queryFn: () => take(api.GET("/api/v1/auth/me")) });
  return (
    <Page title="Your account">
      <section className="panel">
        <Facts
          facts={[
            ["E-mail address", email],
            [
              "Role",
              role === "superadmin"
                ? "Superadmin: may do everything"
                : "Admin: your own concerts, and those you were let into",
            ],
            ["Account number", <code key="id">{id}</code>],
          ]}
        />
      </section>
      <Section title="Second factor">
        <Answer of={me}>{({ second_factor }) => <SecondFactor isOn={second_factor} />}</Answer>
      </Section>
      <Section title="Password">
        <Password />
      </Section>
      <Sessions />
      <ApiKeys />
    </Page>
  );
}

export { Account as Component };
