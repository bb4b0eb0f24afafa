//! Signals to the servers of a test.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Sends a signal (`KILL`, `STOP` …). A process that is gone needs none. The shell's own `kill`: small systems lack
/// the program.
fn signal(name: &str, pids: &[u32]) {
    let mut kill = shell(r#"kill -s "$0" "$@" 2>/dev/null"#, name, pids);
    kill.status().expect("a shell to send a signal");
}

/// Asks a process to end.
pub fn terminate(pid: u32) {
    signal("TERM", &[pid]);
}

/// Ends a process and its children at one moment, without a word.
pub(crate) fn kill(pid: u32) {
    // The parent is held first, so that no child is born meanwhile and none hears of its death.
    signal("STOP", &[pid]);
    let mut pids = children_of(pid);
    pids.push(pid);
    signal("KILL", &pids);
}

/// Processes that are stopped where they stand, with their sockets open, until this value is dropped or this program
/// ends, however it ends: a stopped server would not hear that it has to end, too.
#[derive(Debug)]
pub(crate) struct Frozen(Child);

impl Frozen {
    /// Stops a process and its children.
    pub(crate) fn new(pid: u32) -> Self {
        // The parent first, so that no child is born meanwhile.
        signal("STOP", &[pid]);
        let mut pids = children_of(pid);
        // A shell that reads a pipe which nobody writes: it goes on when the pipe ends, with us at the latest.
        pids.push(pid);
        let mut guard = shell(r#"read -r _; kill -s "$0" "$@""#, "CONT", &pids);
        // In a group of its own, so that Ctrl-C ends us and not it.
        let guard = guard.stdin(Stdio::piped()).process_group(0).spawn();
        pids.pop();
        signal("STOP", &pids);
        Self(guard.expect("a shell to end the freeze"))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends by itself; a failure would leave the server stopped, which the test will notice.
        let _ = self.0.wait();
    }
}

fn shell(script: &str, signal: &str, pids: &[u32]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, signal]);
    shell.args(pids.iter().map(u32::to_string));
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    shell
}

fn children_of(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // `pid (name) state parent …`, and a name may hold blanks and brackets.
        let found = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        (found == parent).then_some(pid)
    });
    children.collect()
}
