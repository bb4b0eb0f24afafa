import { useRef } from "react";
import { drawable } from "./drawable";

type Props = { html: string; title: string; width: number };

/**
 * A mail as its reader sees it. No script of it runs and none of its links leads anywhere. The policy of this page,
 * which a mail inherits, lets no style in that stands in a document; so its styles are set by us once it is there.
 */
export function MailFrame({ html, title, width }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  const { markup, sheet } = drawable(html);
  const draw = () => {
    const { contentDocument: mail, contentWindow: view } = frame.current ?? {};
    if (!mail || !view || !frame.current) return;
    const styles = new (view as Window & typeof globalThis).CSSStyleSheet();
    styles.replaceSync(sheet);
    mail.adoptedStyleSheets = [styles];
    for (const element of mail.querySelectorAll<HTMLElement>("[data-style]"))
      element.style.cssText = element.dataset.style ?? "";
    frame.current.height = String(mail.documentElement.scrollHeight);
  };
  return (
    <iframe
      ref={frame}
      className="mail-frame"
      title={title}
      sandbox="allow-same-origin"
      srcDoc={markup}
      width={width}
      onLoad={draw}
    />
  );
}
