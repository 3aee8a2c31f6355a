//! TLS: own authorities, certificates of clients, and servers that are not who
//! they should be. nginx speaks it, before buildbox-casd and for its own cache.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use tabella::data::Remote;
use tempfile::TempDir;

use crate::remote::Machine;
use crate::remote::reading;
use crate::remote::servers::CASD;
use crate::remote::servers::Server;
use crate::remote::servers::free_port;
use crate::remote::writing;

/// nginx with TLS; it ends with the test.
struct Tls {
    nginx: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

/// Writes an authority, and certificates that it gave a server and a client.
fn write_certificates(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    write("ca.pem", authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    for (name, who) in [
        ("server", "127.0.0.1"),
        ("client", "ci"),
        ("other", "elsewhere"),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![who.to_owned()]).unwrap();
        // One with the name of its authority would count as signed by itself.
        params.distinguished_name.push(DnType::CommonName, who);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

impl Tls {
    /// Starts nginx in front of the gRPC server on `port`, with a certificate of
    /// this name; one who asks must have a certificate.
    fn before(grpc: u16, certificate: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let at = folder.path().display();
        write_certificates(folder.path());
        for name in ["store/ac", "store/cas"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let port = free_port();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name};"))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log {at}/access.log; {temporary} client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port} ssl http2;\n\
             ssl_certificate {at}/{certificate}.pem; ssl_certificate_key {at}/{certificate}.key;\n\
             ssl_client_certificate {at}/ca.pem; ssl_verify_client on;\n\
             location / {{ grpc_pass grpc://127.0.0.1:{grpc}; }}\n\
             location ~ ^/(ac|cas)/ {{ root {at}/store; dav_methods PUT; }}\n}} }}\n"
        );
        fs::write(folder.path().join("conf"), text).unwrap();
        let program = match Path::new("/usr/sbin/nginx") {
            path if path.exists() => path,
            _ => Path::new("nginx"),
        };
        let nginx = Command::new(program)
            .args(["-p", &at.to_string(), "-c", &format!("{at}/conf")])
            .args(["-e", &format!("{at}/error.log")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let tls = Self {
            nginx,
            folder,
            port,
        };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return tls;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(tls.folder.path().join("error.log"));
        panic!("nginx does not start: {log:?}");
    }

    /// Returns settings with the authority and a client's certificate.
    fn with_certificates(&self, remote: Remote) -> Remote {
        let path = |name: &str| Some(self.folder.path().join(name));
        Remote {
            ca: path("ca.pem"),
            client_certificate: path("client.pem"),
            client_key: path("client.key"),
            ..remote
        }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

/// The warning of a training that got nothing from a server.
#[track_caller]
fn warning(remote: &Remote) -> String {
    let machine = Machine::new();
    let trained = machine.train(remote);
    assert!(trained.ran > 5 && trained.fetched == 0);
    let mut warnings = machine.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings.remove(0)
}

#[test]
fn machines_with_certificates_share_and_others_do_not() {
    // The first of these is there to have nginx installed.
    let (Some(_nginx), Some(casd)) = (Server::nginx(), Server::casd(CASD[0])) else {
        return;
    };
    let tls = Tls::before(casd.port(), "server");
    for scheme in ["https", "grpcs"] {
        let (first, second) = (Machine::new(), Machine::new());
        let url = tls.url(scheme);
        let trained = first.train(&tls.with_certificates(writing(&url)));
        assert_eq!(first.warnings(), [""; 0], "{scheme}");
        let restored = second.train(&tls.with_certificates(reading(&url)));
        assert_eq!(
            (restored.ran, restored.fetched),
            (0, trained.ran),
            "{scheme}"
        );
        assert_eq!(first.models(), second.models());

        // Nobody that browsers know vouches for this server.
        let told = warning(&reading(&url));
        assert!(told.contains("certificate"), "{scheme}: {told}");
        // The server does not know who asks.
        let anonymous = Remote {
            client_certificate: None,
            client_key: None,
            ..tls.with_certificates(reading(&url))
        };
        let told = warning(&anonymous);
        assert!(told.contains("cannot be used"), "{scheme}: {told}");
    }
}

#[test]
fn a_server_with_the_certificate_of_another_is_not_talked_to() {
    let Some(nginx) = Server::nginx() else { return };
    let tls = Tls::before(nginx.port(), "other");
    for scheme in ["https", "grpcs"] {
        let told = warning(&tls.with_certificates(reading(tls.url(scheme))));
        assert!(told.contains("certificate"), "{scheme}: {told}");
    }
}
