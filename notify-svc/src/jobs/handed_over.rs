//! Mails that the mail server has taken and the database does not know of yet, noted in a file: what a process that is
//! killed had not stored, its successor stores, and only the mail whose answer was never heard comes again. Writing
//! such a note takes some microseconds, so outcomes may wait for one another and go to the database together.
//!
//! The file outlives the process, not the machine: nothing is flushed. A note that is read too often does no harm, for
//! what it says was true when it was written, and the database takes it only from the lease that it names.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use uuid::Uuid;

/// Mails whose outcome is on its way to the database at most.
pub(super) const NOTES_MAX: u16 = 256;
const NOTE_BYTES: usize = 32;
const FILE_BYTES: usize = NOTES_MAX as usize * NOTE_BYTES;
const EMPTY: [u8; NOTE_BYTES] = [0; NOTE_BYTES];
/// Processes that use one folder.
const FILES_MAX: u16 = 256;

/// An attempt whose mail was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub id: Uuid,
    /// The number of the lease under which it was sent.
    pub attempts: i32,
}

/// The notes of this process. Its file is locked as long as this value lives.
pub(super) struct HandedOver {
    file: File,
    free: Mutex<Vec<u16>>,
}

/// A note that stands in the file until its outcome is stored.
pub(super) struct Note {
    pub accepted: Accepted,
    notes: Arc<HandedOver>,
    slot: u16,
}

impl HandedOver {
    /// Takes a file that nobody has, with what its last owner left in it.
    pub fn open(folder: &Path) -> anyhow::Result<(Arc<Self>, Vec<Note>)> {
        Self::take(folder).with_context(|| {
            let folder = folder.display();
            format!("HANDED_OVER_DIR: no notes can be kept in {folder}")
        })
    }

    fn take(folder: &Path) -> anyhow::Result<(Arc<Self>, Vec<Note>)> {
        fs::create_dir_all(folder)?;
        let mut own = None;
        for path in files(folder) {
            let file = open_file(&path)?;
            if !is_free(&file)? {
                continue;
            }
            own = Some(Self::of(file)?);
            break;
        }
        own.with_context(|| format!("{FILES_MAX} processes use it"))
    }

    /// What processes that are no more left in their files, as far as there is room.
    pub fn adopt(self: &Arc<Self>, folder: &Path) -> io::Result<Vec<Note>> {
        let mut left = Vec::new();
        for path in files(folder).take_while(|path| path.exists()) {
            let file = open_file(&path)?;
            // Our own is locked like those of the living.
            if is_free(&file)? {
                left.extend(self.inherit(&file)?);
            }
        }
        Ok(left)
    }

    fn of(file: File) -> io::Result<(Arc<Self>, Vec<Note>)> {
        let left = read(&file)?;
        let used = |slot: &u16| left.iter().any(|(at, _)| at == slot);
        let free: Vec<u16> = (0..NOTES_MAX).rev().filter(|slot| !used(slot)).collect();
        // All of it is there from now on, so that a full disk keeps no note back.
        for slot in &free {
            file.write_all_at(&EMPTY, at(*slot))?;
        }
        let notes = Arc::new(Self {
            file,
            free: Mutex::new(free),
        });
        let note = |(slot, accepted)| Note {
            accepted,
            notes: notes.clone(),
            slot,
        };
        let left = left.into_iter().map(note).collect();
        Ok((notes, left))
    }

    /// Takes over what another process left, as far as there is room: it was killed, too.
    fn inherit(self: &Arc<Self>, other: &File) -> io::Result<Vec<Note>> {
        let mut taken = Vec::new();
        for (slot, accepted) in read(other)? {
            match self.note(accepted) {
                Ok(note) => taken.push(note),
                // What is left of it is there the next time.
                Err(_) => break,
            }
            other.write_all_at(&EMPTY, at(slot))?;
        }
        Ok(taken)
    }

    /// # Errors
    /// If it cannot be written, or too many outcomes are on their way to the database.
    pub fn note(self: &Arc<Self>, accepted: Accepted) -> io::Result<Note> {
        let slot = self.free().pop();
        let slot = slot.ok_or_else(|| io::Error::other("there are more notes than room"))?;
        if let Err(error) = self.file.write_all_at(&bytes(accepted), at(slot)) {
            self.free().push(slot);
            return Err(error);
        }
        let notes = self.clone();
        Ok(Note {
            accepted,
            notes,
            slot,
        })
    }

    fn free(&self) -> MutexGuard<'_, Vec<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note {
    /// The database has the outcome, or another lease decides. A note that is dropped instead stays in the file.
    pub fn stored(self) {
        if let Err(error) = self.notes.file.write_all_at(&EMPTY, at(self.slot)) {
            // It stays, and is told once more to a database that knows it.
            tracing::warn!(%error, "a note of a mail cannot be taken away");
        }
        self.notes.free().push(self.slot);
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    (0..FILES_MAX).map(move |number| folder.join(format!("notes-{number}")))
}

fn at(slot: u16) -> u64 {
    u64::from(slot) * NOTE_BYTES as u64
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn is_free(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The notes, and where they stand. A new file has none.
fn read(file: &File) -> io::Result<Vec<(u16, Accepted)>> {
    let mut bytes = [0; FILE_BYTES];
    let length = file.read_at(&mut bytes, 0)?;
    let (notes, _) = bytes[..length].as_chunks();
    let notes = (0..NOTES_MAX).zip(notes.iter().map(accepted));
    Ok(notes
        .filter_map(|(slot, accepted)| Some((slot, accepted?)))
        .collect())
}

/// The id, and the attempt behind it.
fn bytes(accepted: Accepted) -> [u8; NOTE_BYTES] {
    let mut bytes = EMPTY;
    bytes[..16].copy_from_slice(accepted.id.as_bytes());
    bytes[16..20].copy_from_slice(&accepted.attempts.to_le_bytes());
    bytes
}

fn accepted(bytes: &[u8; NOTE_BYTES]) -> Option<Accepted> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (attempts, _) = rest.split_first_chunk()?;
    let accepted = Accepted {
        id: Uuid::from_bytes(*id),
        attempts: i32::from_le_bytes(*attempts),
    };
    (!accepted.id.is_nil()).then_some(accepted)
}

#[cfg(test)]
mod tests {
    use testkit::Infra;

    use super::*;

    fn accepted_of(number: u128) -> Accepted {
        Accepted {
            id: Uuid::from_u128(number),
            attempts: 3,
        }
    }

    fn open(folder: &Path) -> (Arc<HandedOver>, Vec<Note>) {
        HandedOver::open(folder).unwrap()
    }

    fn left(notes: &[Note]) -> Vec<Accepted> {
        notes.iter().map(|note| note.accepted).collect()
    }

    #[test]
    fn what_was_not_stored_is_found_by_the_next_until_it_is_stored() {
        let folder = Infra::folder();
        let (notes, none) = open(&folder);
        assert!(none.is_empty());
        let first = notes.note(accepted_of(1)).unwrap();
        let second = notes.note(accepted_of(2)).unwrap();
        first.stored();
        drop((second, notes));
        for _ in 0..2 {
            let (_notes, found) = open(&folder);
            assert_eq!(
                left(&found),
                [accepted_of(2)],
                "it is there until it is stored"
            );
        }
        let (notes, mut found) = open(&folder);
        found.pop().unwrap().stored();
        drop(notes);
        assert!(open(&folder).1.is_empty());
    }

    #[test]
    fn each_process_has_a_file_and_adopts_those_of_the_dead() {
        let folder = Infra::folder();
        let (living, _) = open(&folder);
        let (dying, none) = open(&folder);
        assert!(none.is_empty());
        drop(living.note(accepted_of(1)).unwrap());
        drop(dying.note(accepted_of(2)).unwrap());
        let (third, none) = open(&folder);
        assert!(none.is_empty(), "both others live");
        assert!(third.adopt(&folder).unwrap().is_empty(), "both others live");
        drop(dying);
        let adopted = third.adopt(&folder).unwrap();
        assert_eq!(left(&adopted), [accepted_of(2)]);
        assert!(third.adopt(&folder).unwrap().is_empty(), "once");
        drop((adopted, third));
        // Its heir has both: its own place, and what it adopted.
        let (heir, found) = open(&folder);
        assert!(found.is_empty(), "the second one's file is empty");
        assert_eq!(left(&heir.adopt(&folder).unwrap()), [accepted_of(2)]);
    }

    #[test]
    fn there_is_room_for_so_many_and_what_is_stored_makes_room() {
        let folder = Infra::folder();
        let (notes, _) = open(&folder);
        let all = 1..=u128::from(NOTES_MAX);
        let mut taken: Vec<Note> = all
            .map(|number| notes.note(accepted_of(number)).unwrap())
            .collect();
        assert!(notes.note(accepted_of(1_000)).is_err());
        taken.pop().unwrap().stored();
        notes.note(accepted_of(1_000)).unwrap().stored();
        drop((taken, notes));
        assert_eq!(open(&folder).1.len(), usize::from(NOTES_MAX) - 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_which_setting_names_it() {
        let folder = Infra::folder();
        fs::write(&folder, "").unwrap();
        let refused = HandedOver::open(&folder).map(drop).unwrap_err();
        assert!(refused.to_string().starts_with("HANDED_OVER_DIR: "));
    }
}
