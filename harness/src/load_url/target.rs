//! The URL: where to connect, what to request, and whether that is on this host.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use anyhow::Context;
use http::Uri;

use super::wrong;
use crate::exit::usage;

/// What a URL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: SocketAddr,
    /// The Host field.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads the URL and looks its host up. A host that is not this one needs `allow_remote`.
    pub fn resolve(url: &str, allow_remote: bool) -> anyhow::Result<Self> {
        let instead = "write it as http://127.0.0.1:3000/";
        let uri: Uri = url
            .parse()
            .map_err(|error| wrong("the URL", url, &format!("{error}; {instead}")))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                let words = "TLS is not spoken here; give the server's plain http:// address";
                return Err(wrong("the URL", url, words));
            }
            Some(_) => return Err(wrong("the URL", url, "only http:// is spoken here")),
            None => {
                return Err(wrong(
                    "the URL",
                    url,
                    &format!("it has no scheme; {instead}"),
                ));
            }
        }
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("the URL", url, &format!("it names no host; {instead}")))?;
        if authority.as_str().contains('@') {
            let words = "a name and password in it are not sent; use -H 'Authorization: …'";
            return Err(wrong("the URL", url, words));
        }
        let behind_host = &authority.as_str()[authority.host().len()..];
        let port = match (authority.port_u16(), behind_host) {
            (Some(port), _) => port,
            (None, "" | ":") => 80,
            (None, _) => return Err(wrong("the URL", url, "its port is no number up to 65535")),
        };
        let name = authority.host().trim_matches(['[', ']']);
        let address = (name, port)
            .to_socket_addrs()
            .with_context(|| format!("cannot look up the host '{name}'"))?
            .next()
            .with_context(|| format!("the host '{name}' has no address"))?;
        if !allow_remote && !is_this_host(address.ip()) {
            return Err(usage(format!(
                "{} is not on this host; load is driven at other hosts with --allow-remote only, \
                 and only at your own",
                address.ip()
            )));
        }
        let path = uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self {
            address,
            host: authority.as_str().to_owned(),
            path,
        })
    }
}

/// An address is this host's if a socket can be bound to it.
fn is_this_host(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::resolve("http://127.0.0.1:3000/cpu?us=200", false).unwrap();
        assert_eq!(target.address, "127.0.0.1:3000".parse().unwrap());
        assert_eq!(target.host, "127.0.0.1:3000");
        assert_eq!(target.path, "/cpu?us=200");
        let bare = Target::resolve("http://[::1]", false).unwrap();
        assert_eq!(bare.address, "[::1]:80".parse().unwrap());
        assert_eq!(bare.path, "/");
        let query = Target::resolve("http://127.0.0.1?x=1", false).unwrap();
        assert_eq!(query.path, "/?x=1");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, words) in [
            ("https://127.0.0.1/", "TLS"),
            ("127.0.0.1:3000", "no scheme"),
            ("http://", "http://127.0.0.1:3000/"),
            ("http://u:p@127.0.0.1/", "password"),
            ("http://127.0.0.1:99999/", "65535"),
            ("not a url", "not a url"),
        ] {
            let error = Target::resolve(url, false).unwrap_err().to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn other_hosts_need_leave() {
        // An address reserved for documentation.
        let error = Target::resolve("http://192.0.2.1/", false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("--allow-remote"), "{error}");
        assert!(Target::resolve("http://192.0.2.1/", true).is_ok());
    }
}
