//! An HTTP cache that answers as a test wants it to.

use std::collections::HashMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

/// What an answer is made of, before it is changed.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// The length that is announced, if it is another one.
    pub length: Option<u64>,
    /// Headers beside it.
    pub headers: String,
}

/// Changes an answer to a request of this method and path.
type Lie = dyn Fn(&str, &str, &mut Answer) + Send + Sync;

/// A running server; it ends with the process.
pub struct Liar {
    pub url: String,
    /// Method and path of every request, in the order in which they came.
    pub asked: Arc<Mutex<Vec<(String, String)>>>,
    /// What was stored, by path.
    pub stored: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Liar {
    /// Starts a server that stores what it is given, and lies as `lie` does.
    pub fn new(lie: impl Fn(&str, &str, &mut Answer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let liar = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            stored: Arc::default(),
        };
        let (asked, stored) = (Arc::clone(&liar.asked), Arc::clone(&liar.stored));
        let lie: Arc<Lie> = Arc::new(lie);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (asked, stored, lie) = (asked.clone(), stored.clone(), lie.clone());
                thread::spawn(move || while serve(&stream, &asked, &stored, &*lie).is_some() {});
            }
        });
        liar
    }

    /// Starts one that has what another has.
    pub fn with(
        stored: &HashMap<String, Vec<u8>>,
        lie: impl Fn(&str, &str, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        let liar = Self::new(lie);
        liar.stored.lock().unwrap().clone_from(stored);
        liar
    }

    /// Returns how many requests there were of a method, of paths that begin so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        let is_such = |(m, p): &&(String, String)| m == method && p.starts_with(path);
        asked.iter().filter(is_such).count()
    }

    pub fn stored(&self) -> HashMap<String, Vec<u8>> {
        self.stored.lock().unwrap().clone()
    }
}

/// Answers a request; none when there is no other to come.
fn serve(
    mut stream: &TcpStream,
    asked: &Mutex<Vec<(String, String)>>,
    stored: &Mutex<HashMap<String, Vec<u8>>>,
    lie: &Lie,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.lock().unwrap().push((method.clone(), path.clone()));
    let mut answer = Answer {
        status: 200,
        body: Vec::new(),
        length: None,
        headers: String::new(),
    };
    if method != "PUT" {
        match stored.lock().unwrap().get(&path) {
            Some(bytes) => answer.body.clone_from(bytes),
            None => answer.status = 404,
        }
    }
    lie(&method, &path, &mut answer);
    // What is refused is not there either.
    if method == "PUT" && answer.status < 300 {
        stored.lock().unwrap().insert(path, body);
    }
    let length = answer.length.unwrap_or(answer.body.len() as u64);
    let (status, headers) = (answer.status, answer.headers);
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        stream.write_all(&answer.body).ok()?;
    }
    // Where less comes than was announced, the connection ends.
    (length == answer.body.len() as u64).then_some(())
}
