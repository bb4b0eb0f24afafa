//! What the copy is made of. Whoever writes has it alone; readers never see it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use base::EventId;
use kit::Failure;
use pages::Position;
use proto::ticket::{EventAvailability, ProgrammeEntry};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Cell, Face, Row, Shown, face::overlay, search::fold};
use crate::{
    providers,
    rest::types::{PaymentProvider, broken, time_of},
};

#[derive(Default)]
pub struct Book {
    entries: BTreeMap<EventId, Kept>,
    /// By the stream of availability; also of events whose entry is not here yet.
    told: HashMap<EventId, EventAvailability>,
    /// All that happened before this time is in `told`.
    told_as_of: Option<OffsetDateTime>,
    /// Entries that are newer than what was told.
    ahead: BTreeSet<EventId>,
    /// All that can be paid with.
    providers: Vec<PaymentProvider>,
    /// Events came, went or changed since they were last shown.
    is_new: bool,
}

struct Kept {
    entry: ProgrammeEntry,
    as_of: OffsetDateTime,
    row: Row,
}

impl Book {
    /// These are all there are.
    pub fn replace(&mut self, entries: Vec<ProgrammeEntry>, as_of: OffsetDateTime) {
        let ids: BTreeSet<EventId> = entries.iter().filter_map(id_of).collect();
        let gone = self.entries.keys().filter(|id| !ids.contains(id)).copied();
        let gone: Vec<EventId> = gone.collect();
        self.put(&gone, entries, as_of);
    }

    /// These were asked for; those that did not come are gone.
    pub fn put(&mut self, asked: &[EventId], entries: Vec<ProgrammeEntry>, as_of: OffsetDateTime) {
        let came: BTreeSet<EventId> = entries.iter().filter_map(id_of).collect();
        for id in asked.iter().filter(|id| !came.contains(id)) {
            self.is_new |= self.entries.remove(id).is_some();
            self.ahead.remove(id);
        }
        for entry in entries {
            if let Err(failure) = self.put_one(entry, as_of) {
                let reason = failure.reason.word();
                tracing::error!(reason, "an event of the programme is not usable");
            }
        }
    }

    fn put_one(&mut self, entry: ProgrammeEntry, as_of: OffsetDateTime) -> Result<(), Failure> {
        let id = id_of(&entry).ok_or_else(|| broken("event"))?;
        let old = self.entries.get(&id);
        if old.is_some_and(|old| old.as_of > as_of) {
            return Ok(());
        }
        let face = Arc::new(self.face(id, &entry, as_of)?);
        let event = entry.event.as_ref().ok_or_else(|| broken("event"))?;
        let begins = time_of(event.date_time.as_ref(), "date_time")?;
        let text = format!("{} {} {}", event.title, event.location, event.description);
        let cell = match old {
            Some(old) => {
                old.row.cell.show(face);
                old.row.cell.clone()
            }
            None => Arc::new(Cell(watch::Sender::new(face))),
        };
        let row = Row {
            position: Position {
                at: begins,
                id: id.uuid(),
            },
            text: fold(&text).into(),
            location: fold(&event.location).into(),
            cell,
        };
        if self.told_as_of.is_none_or(|told| told < as_of) {
            self.ahead.insert(id);
        }
        self.entries.insert(id, Kept { entry, as_of, row });
        self.is_new = true;
        Ok(())
    }

    /// What is left changed. The first state that a stream tells is everything.
    pub fn tell(&mut self, first: bool, told: Vec<EventAvailability>, as_of: OffsetDateTime) {
        let mut touched = std::mem::take(&mut self.ahead);
        if first {
            touched.extend(self.entries.keys().copied());
            self.told.clear();
        }
        for event in told {
            let Ok(id) = event.event_id.parse::<EventId>() else {
                continue;
            };
            touched.insert(id);
            self.told.insert(id, event);
        }
        self.told_as_of = Some(as_of);
        for id in touched {
            self.show_again(id);
            // What was read after this was told.
            if self.entries.get(&id).is_some_and(|kept| kept.as_of > as_of) {
                self.ahead.insert(id);
            }
        }
    }

    pub fn set_providers(&mut self, providers: Vec<PaymentProvider>) {
        if self.providers == providers {
            return;
        }
        self.providers = providers;
        let ids: Vec<EventId> = self.entries.keys().copied().collect();
        ids.into_iter().for_each(|id| self.show_again(id));
    }

    /// Everything in order, if events came, went or changed.
    pub fn shown_anew(&mut self) -> Option<Shown> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        let mut rows: Vec<Row> = self.entries.values().map(|kept| kept.row.clone()).collect();
        rows.sort_unstable_by_key(|row| row.position);
        let mut by_name = HashMap::with_capacity(rows.len() * 2);
        for kept in self.entries.values() {
            if let Some(event) = &kept.entry.event {
                by_name.insert(event.id.as_str().into(), kept.row.cell.clone());
                by_name.insert(event.slug.as_str().into(), kept.row.cell.clone());
            }
        }
        Some(Shown { rows, by_name })
    }

    fn show_again(&self, id: EventId) {
        let Some(kept) = self.entries.get(&id) else {
            return;
        };
        match self.face(id, &kept.entry, kept.as_of) {
            Ok(face) => kept.row.cell.show(Arc::new(face)),
            Err(failure) => {
                let reason = failure.reason.word();
                tracing::error!(reason, "what is left of an event is not usable");
            }
        }
    }

    fn face(
        &self,
        id: EventId,
        entry: &ProgrammeEntry,
        as_of: OffsetDateTime,
    ) -> Result<Face, Failure> {
        let mut entry = entry.clone();
        let is_newer = self.told_as_of.is_some_and(|told| told >= as_of);
        if let Some(told) = self.told.get(&id).filter(|_| is_newer) {
            overlay(&mut entry, told);
        }
        let names = entry
            .event
            .as_ref()
            .map(|event| &event.payment_providers[..]);
        let providers = providers::chosen(self.providers.clone(), names.unwrap_or_default());
        Face::new(entry, providers)
    }
}

fn id_of(entry: &ProgrammeEntry) -> Option<EventId> {
    entry.event.as_ref()?.id.parse().ok()
}
