import { Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

/** Names the page in the browser's tab. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Boxoffice`;
  }, [title]);
}

/** A page's heading, what can be done there, and the page. */
export function Page({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  usePageTitle(title);
  return (
    <>
      <header className="page-head">
        <Title order={1}>{title}</Title>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** A part of a page. */
export function Section({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="section">
      <header className="section-head">
        <Title order={2}>{title}</Title>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** What stands where nothing is yet. */
export function Empty({ children }: { children: ReactNode }) {
  return <div className="empty">{children}</div>;
}
