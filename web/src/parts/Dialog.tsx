import { Modal } from "@mantine/core";
import type { ReactNode } from "react";

type Props = { opened: boolean; onClose: () => void; title: string; children: ReactNode };

/** A question before the page. Its head is none of the page's landmarks. */
export function Dialog({ opened, onClose, title, children }: Props) {
  return (
    // Locking the scroll writes a style element, which the gateway's policy forbids.
    <Modal.Root opened={opened} onClose={onClose} lockScroll={false} centered size="lg">
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Header role="none">
          <Modal.Title>{title}</Modal.Title>
          <Modal.CloseButton aria-label="Close" />
        </Modal.Header>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
