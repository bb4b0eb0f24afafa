pub(super) mod receive_event;
