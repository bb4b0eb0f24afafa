import { Anchor, Title } from "@mantine/core";
import { Link } from "react-router";
import { usePageTitle } from "../parts/Page";

export function NoSuchPage() {
  usePageTitle("No such page");
  return (
    <main className="entrance">
      <Title order={1}>There is no such page</Title>
      <Anchor component={Link} to="/">
        To the programme
      </Anchor>
    </main>
  );
}
