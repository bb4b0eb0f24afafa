//! CPU time and memory of the processes that do the work, from /proc: what an operation costs, whoever else uses the
//! machine.

use std::{collections::HashSet, fs, time::Duration};

/// USER_HZ, which Linux fixes at 100 for what it shows to programs.
const TICKS_PER_SEC: u64 = 100;

#[derive(Debug)]
struct Process {
    pid: u32,
    name: String,
    parent: u32,
    ticks: u64,
}

/// Whose time counts.
#[derive(Clone, Debug)]
pub struct Meter {
    roots: Vec<u32>,
    /// Only processes of this name.
    name: Option<&'static str>,
}

impl Meter {
    /// These processes and everything below them.
    pub fn of(roots: &[u32]) -> Self {
        Self {
            roots: roots.to_vec(),
            name: None,
        }
    }

    /// Of them, what is PostgreSQL.
    pub fn postgres(&self) -> Self {
        Self {
            roots: self.roots.clone(),
            name: Some("postgres"),
        }
    }

    /// User and system time so far. Of children that have ended and been waited for, their parent counts the time.
    pub fn read(&self) -> Duration {
        let ticks: u64 = self.processes().iter().map(|one| one.ticks).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SEC)
    }

    /// Those of them whose name begins so: a version may follow, and the system keeps fifteen characters.
    pub fn pids_of(&self, name: &str) -> Vec<u32> {
        let named = self
            .processes()
            .into_iter()
            .filter(|one| one.name.starts_with(name));
        named.map(|one| one.pid).collect()
    }

    fn processes(&self) -> Vec<Process> {
        let all = processes();
        let mut tree: HashSet<u32> = self.roots.iter().copied().collect();
        loop {
            let before = tree.len();
            let below = all.iter().filter(|one| tree.contains(&one.parent));
            let below: Vec<u32> = below.map(|one| one.pid).collect();
            tree.extend(below);
            if tree.len() == before {
                break;
            }
        }
        let counts = |one: &Process| {
            tree.contains(&one.pid) && self.name.is_none_or(|name| one.name == name)
        };
        all.into_iter().filter(counts).collect()
    }
}

/// Resident memory of one process in MB: now, and the most it ever had.
pub fn memory_mb(pid: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kb = |name: &str| -> Option<f64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((kb("VmRSS:")? / 1024.0, kb("VmHWM:")? / 1024.0))
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            parse(pid, &fs::read_to_string(entry.path().join("stat")).ok()?)
        })
        .collect()
}

/// A line of /proc/<pid>/stat. The name in brackets may hold anything, so it is read from behind.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // After the name: state, ppid, … utime, stime, cutime, cstime are fields 14 to 17 of the whole line.
    let ticks = fields.get(11..15)?.iter();
    let ticks: Option<u64> = ticks.map(|field| field.parse::<u64>().ok()).sum();
    Some(Process {
        pid,
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 10 0 0 0 5 6 7 8 20 0 1 0 1 0 0";
        let one = parse(7, stat).unwrap();
        let seen = (one.name.as_str(), one.parent, one.ticks);
        assert_eq!(seen, ("a) b (c", 1, 26));
    }

    #[test]
    fn this_process_has_used_some() {
        let own = Meter::of(&[std::process::id()]);
        let mut sum = 0_u64;
        while own.read() == Duration::ZERO {
            sum = sum.wrapping_add((0..1_000_000).sum::<u64>());
        }
        assert_ne!(sum, 1);
        assert_eq!(own.postgres().read(), Duration::ZERO);
        assert!(memory_mb(std::process::id()).is_some_and(|(now, most)| 0.0 < now && now <= most));
    }
}
