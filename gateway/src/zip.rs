//! A zip archive of a few files that are in memory. They are stored as they are: a PDF is compressed
//! already. (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.)

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const VERSION: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1 January 1980: the archive says nothing about when it was made.
const DATE: u16 = (1 << 5) | 1;

/// A file of the archive; its name is plain, without folders.
pub struct Entry {
    pub name: String,
    pub content: Vec<u8>,
}

/// None if something does not fit into 32 bits.
pub fn zip(entries: &[Entry]) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(archive.len()).ok()?;
        let facts = facts(entry)?;
        put32(&mut archive, LOCAL);
        archive.extend_from_slice(&facts);
        // No extra field.
        put16(&mut archive, 0);
        archive.extend_from_slice(entry.name.as_bytes());
        archive.extend_from_slice(&entry.content);
        put32(&mut directory, CENTRAL);
        put16(&mut directory, VERSION);
        directory.extend_from_slice(&facts);
        // No extra field, no comment, disk 0, no attributes.
        for _ in 0..4 {
            put16(&mut directory, 0);
        }
        put32(&mut directory, 0);
        put32(&mut directory, offset);
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let (start, size) = (archive.len(), directory.len());
    let count = u16::try_from(entries.len()).ok()?;
    archive.append(&mut directory);
    put32(&mut archive, END);
    put32(&mut archive, 0);
    put16(&mut archive, count);
    put16(&mut archive, count);
    put32(&mut archive, u32::try_from(size).ok()?);
    put32(&mut archive, u32::try_from(start).ok()?);
    put16(&mut archive, 0);
    Some(archive)
}

/// What both headers say: from the version that is needed to the length of the name.
fn facts(entry: &Entry) -> Option<Vec<u8>> {
    let mut facts = Vec::with_capacity(24);
    // Stored, at midnight.
    for half in [VERSION, FLAGS, 0, 0, DATE] {
        put16(&mut facts, half);
    }
    let size = u32::try_from(entry.content.len()).ok()?;
    for word in [crc32(&entry.content), size, size] {
        put32(&mut facts, word);
    }
    put16(&mut facts, u16::try_from(entry.name.len()).ok()?);
    Some(facts)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// CRC-32 of IEEE 802.3, by the byte.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        TABLE[index as usize] ^ (crc >> 8)
    };
    !bytes.iter().fold(!0, step)
}

const fn table() -> [u32; 256] {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 256];
    let mut index = 0_u32;
    while index < 256 {
        let (mut crc, mut bit) = (index, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index as usize] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn an_archive_of_nothing_is_its_end() {
        let empty = zip(&[]).unwrap();
        assert_eq!((empty.len(), &empty[..4]), (22, &b"PK\x05\x06"[..]));
    }
}
