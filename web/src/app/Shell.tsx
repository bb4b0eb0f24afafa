import { Burger, Button, Menu } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import { Link, Navigate, NavLink, Outlet, ScrollRestoration, useLocation, useNavigation } from "react-router";
import { api } from "../api/client";
import { Loading } from "../parts/Loading";
import { ProblemNotice } from "../parts/Notice";
import { endSession, useSession } from "./session";

type PageLink = { to: string; name: string; end?: boolean };

const PAGES: PageLink[] = [
  { to: "/", name: "Programme", end: true },
  { to: "/insights", name: "Insights" },
  { to: "/orders", name: "Orders" },
  { to: "/mails", name: "Mails" },
  { to: "/record", name: "Record" },
];
const PAGES_OF_SUPERADMINS: PageLink[] = [
  { to: "/templates", name: "Words of mails" },
  { to: "/people", name: "People" },
  { to: "/health", name: "Health" },
];

/** Around every page of who is signed in. */
export function Shell() {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session.isPending) return <Loading />;
  if (session.isError) {
    return (
      <main className="entrance">
        <ProblemNotice error={session.error} retry={session.refetch} />
      </main>
    );
  }
  if (!session.data) return <Navigate to="/login" replace state={{ from: pathname + search }} />;
  const { email, role } = session.data.user;
  return <Frame email={email} isSuperadmin={role === "superadmin"} />;
}

function Frame({ email, isSuperadmin }: { email: string; isSuperadmin: boolean }) {
  const [open, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const isLoading = useNavigation().state === "loading";
  const pages: PageLink[] = isSuperadmin ? [...PAGES, ...PAGES_OF_SUPERADMINS] : PAGES;
  // The parts of a concert are one page: who goes through them stays among their links.
  const place = pathname.split("/").slice(0, 3).join("/");
  const before = useRef(place);
  useEffect(() => {
    close();
    if (before.current !== place) main.current?.focus({ preventScroll: true });
    before.current = place;
  }, [place, close]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="bar">
        <Burger
          className="burger"
          size="sm"
          opened={open}
          onClick={toggle}
          aria-label="Menu"
          aria-expanded={open}
        />
        <Link className="brand" to="/">
          Boxoffice
        </Link>
        <Account email={email} />
      </header>
      <nav className={open ? "nav open" : "nav"} aria-label="Pages">
        {pages.map(({ to, name, end }) => (
          <NavLink key={to} to={to} end={end ?? false} onClick={close}>
            {name}
          </NavLink>
        ))}
      </nav>
      <main id="main" className="main" ref={main} tabIndex={-1} aria-busy={isLoading}>
        <Outlet />
      </main>
      <ScrollRestoration />
    </div>
  );
}

function Account({ email }: { email: string }) {
  async function signOut() {
    await api.DELETE("/api/v1/auth/session").catch(() => undefined);
    endSession();
  }
  return (
    <Menu position="bottom-end" transitionProps={{ duration: 0 }}>
      <Menu.Target>
        <Button className="who" variant="subtle" color="gray" size="compact-md">
          {email}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to="/account">
          Your account
        </Menu.Item>
        <Menu.Item component="a" href="/" target="_blank" rel="noopener">
          To the shop
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={signOut}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
