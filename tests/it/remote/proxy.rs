//! A proxy between client and server that delays, cuts and flips.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// What goes wrong with what the server answers.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing.
    Nothing,
    /// Every piece comes that late.
    Delay(Duration),
    /// The connection is cut after so many bytes of it; so many connections are.
    Cut { after: u64, connections: u64 },
    /// The byte at this place of each connection is another.
    Flip { at: u64 },
    /// The connection is closed at once.
    Close,
    /// It is accepted, and nothing ever comes.
    Silence,
}

/// A running proxy; it ends with the process.
pub struct Proxy {
    pub port: u16,
    /// Bytes that the client got.
    pub bytes: Arc<AtomicU64>,
    pub connections: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy in front of the server on `port`.
    pub fn before(port: u16, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            bytes: Arc::default(),
            connections: Arc::default(),
        };
        let (bytes, connections) = (Arc::clone(&proxy.bytes), Arc::clone(&proxy.connections));
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let bytes = Arc::clone(&bytes);
                thread::spawn(move || serve(&client, port, fault, number, &bytes));
            }
        });
        proxy
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(client: &TcpStream, port: u16, fault: Fault, number: u64, bytes: &AtomicU64) {
    match fault {
        Fault::Close => return,
        Fault::Silence => return swallow(client),
        _ => {}
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            pump(client, &server, Fault::Nothing, 0, &AtomicU64::new(0));
            let _ = server.shutdown(Shutdown::Write);
        });
        pump(&server, client, fault, number, bytes);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

/// Reads all that comes, and answers nothing.
fn swallow(mut client: &TcpStream) {
    let mut buffer = [0; 4096];
    while client.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, fault: Fault, number: u64, bytes: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    let mut passed: u64 = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut piece = &mut buffer[..count];
        match fault {
            Fault::Delay(time) => thread::sleep(time),
            Fault::Flip { at } if (passed..passed + count as u64).contains(&at) => {
                piece[(at - passed) as usize] ^= 1;
            }
            Fault::Cut { after, connections } if number < connections => {
                let left = usize::try_from(after.saturating_sub(passed)).unwrap();
                if left < count {
                    piece = &mut piece[..left];
                }
            }
            _ => {}
        }
        bytes.fetch_add(piece.len() as u64, Ordering::SeqCst);
        if to.write_all(piece).is_err() || piece.len() < count {
            return;
        }
        passed += count as u64;
    }
}
