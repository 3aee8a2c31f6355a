//! A running program that is asked line by line, and given up in time.

use std::collections::VecDeque;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

/// The longest line that a program may answer.
const MAX_LINE: u64 = 256 << 20;

/// How much of what a program complains about is kept: the end of it.
const KEPT_COMPLAINTS: usize = 4096;

/// How long an answer is waited for between two looks at whether to go on.
const LOOK_UP: Duration = Duration::from_millis(100);

/// How long a program that ends is waited for.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a program did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", said(complaints))]
pub struct CommandError {
    /// In one sentence.
    pub reason: String,
    /// The end of what it wrote to its standard error.
    pub complaints: String,
}

fn said(complaints: &str) -> String {
    match complaints.trim() {
        "" => String::new(),
        text => format!("; it says:\n{text}"),
    }
}

/// What goes on with a program.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    timeout: Duration,
    requests: Sender<Vec<u8>>,
    answers: Receiver<io::Result<Vec<u8>>>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program in a folder. A name with `/` in it is a path from there, any
    /// other is looked for as a shell would.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(run: &[String], folder: &Path, timeout: Duration) -> Result<Self, CommandError> {
        let wrong = |reason: String| CommandError {
            reason,
            complaints: String::new(),
        };
        let (program, arguments) = run
            .split_first()
            .ok_or_else(|| wrong("there is no program to run".to_owned()))?;
        let path = match program.contains('/') {
            // From here: the program is started in its folder.
            true => std::path::absolute(folder.join(program))
                .unwrap_or_else(|_| folder.join(program))
                .into_os_string(),
            false => program.into(),
        };
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let child = Command::new(path)
            .args(arguments)
            .current_dir(folder)
            // A secret of this program's own.
            .env_remove("TABELLA_REMOTE_HEADERS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child =
            child.map_err(|error| wrong(format!("`{program}` cannot be run: {error}")))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(wrong(format!("`{program}` has no pipes")));
        };
        let complaints = Arc::default();
        Ok(Self {
            child,
            timeout,
            requests: writer(stdin),
            answers: reader(stdout),
            listener: Some(listener(stderr, Arc::clone(&complaints))),
            complaints,
        })
    }

    /// Sends lines, and returns the one that the program answers; asks `go_on` from
    /// time to time whether to wait.
    ///
    /// # Errors
    ///
    /// If it ends, answers too much, or nothing in time. It is killed then.
    pub fn ask(
        &mut self,
        lines: Vec<u8>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, CommandError> {
        let until = Instant::now() + self.timeout;
        // A program that has ended shows in what it answers.
        let _ = self.requests.send(lines);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left.min(LOOK_UP)) {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(error)) => {
                    return Err(self.failed(format!("its answer cannot be read: {error}")));
                }
                Err(RecvTimeoutError::Timeout) if !go_on() => {
                    return Err(self.failed("it was stopped".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.timeout.as_secs_f64();
                    let reason = format!("no answer in {seconds} s, it was killed");
                    return Err(self.failed(reason));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let how = self.how_it_ended();
                    return Err(self.failed(how));
                }
            }
        }
    }

    /// Waits a moment for a program that has closed its output.
    fn how_it_ended(&mut self) -> String {
        let until = Instant::now() + LAST_MOMENT;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("it ended without an answer ({status})"),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
                _ => return "it closed its output without an answer".to_owned(),
            }
        }
    }

    /// Ends the program and returns what went wrong, with what it said.
    fn failed(&mut self, reason: String) -> CommandError {
        self.end();
        // Processes that it started may hold the pipe open.
        let until = Instant::now() + LAST_MOMENT;
        if let Some(listener) = self.listener.take() {
            while !listener.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let kept = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        CommandError {
            reason,
            complaints: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    /// Lets a program end that reads to the end of its input, and kills it if it
    /// does not.
    fn drop(&mut self) {
        self.requests = mpsc::channel().0;
        let until = Instant::now() + LAST_MOMENT;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        self.end();
    }
}

/// Writes requests as they come; a program need not read while it answers.
fn writer(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, requests) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        for lines in requests {
            if stdin
                .write_all(&lines)
                .and_then(|()| stdin.flush())
                .is_err()
            {
                return;
            }
        }
    });
    sender
}

/// Reads answers as they come.
fn reader(stdout: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (answers, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            let read = (&mut stdout).take(MAX_LINE).read_until(b'\n', &mut line);
            let answer = match read {
                Ok(0) => return,
                Ok(_) if line.last() == Some(&b'\n') => Ok(line),
                Ok(count) if count as u64 == MAX_LINE => {
                    Err(io::Error::other("a line of more than 256 MiB"))
                }
                // Cut: it shows in what the line says.
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            if answers.send(answer).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Keeps the end of what a program complains about.
fn listener(
    mut stderr: impl Read + Send + 'static,
    kept: Arc<Mutex<VecDeque<u8>>>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&buffer[..count]);
            let surplus = kept.len().saturating_sub(KEPT_COMPLAINTS);
            kept.drain(..surplus);
        }
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let run = ["sh", "-c", script].map(str::to_owned);
        Process::start(&run, Path::new(""), Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn lines_are_answered_one_by_one() {
        let mut echo = shell("while read -r line; do echo \"<$line>\"; done");
        assert_eq!(echo.ask(b"one\n".to_vec(), &|| true).unwrap(), b"<one>\n");
        assert_eq!(echo.ask(b"two\n".to_vec(), &|| true).unwrap(), b"<two>\n");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error = shell("echo 'no such word' >&2; exit 3").ask(b"x\n".to_vec(), &|| true);
        let error = error.unwrap_err();
        assert!(error.reason.contains("exit status: 3"), "{error}");
        assert_eq!(error.complaints, "no such word\n");
        let error = shell("yes >&2 & sleep 0.2; kill $!; exit 1").ask(Vec::new(), &|| true);
        assert!(error.unwrap_err().complaints.len() <= KEPT_COMPLAINTS);
    }

    #[test]
    fn a_program_that_does_not_answer_is_killed() {
        let run = ["sh", "-c", "exec sleep 1000"].map(str::to_owned);
        let mut slow = Process::start(&run, Path::new(""), Duration::from_millis(200)).unwrap();
        let error = slow.ask(vec![b'x'; 1 << 20], &|| true).unwrap_err();
        assert!(error.reason.contains("no answer in 0.2 s"), "{error}");
        assert!(slow.child.try_wait().unwrap().is_some(), "it is gone");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let run = ["no-such-program".to_owned()];
        let error = Process::start(&run, Path::new(""), Duration::from_secs(1));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("`no-such-program` cannot be run"),
            "{error}"
        );
    }

    #[test]
    fn waiting_ends_when_it_is_to() {
        let error = shell("exec sleep 1000")
            .ask(Vec::new(), &|| false)
            .unwrap_err();
        assert_eq!(error.reason, "it was stopped");
    }
}
