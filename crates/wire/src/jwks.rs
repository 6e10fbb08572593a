//! JSON Web Key sets (RFC 7517 §5) as a server publishes them: public keys only.

use crate::json::{Document, Value};
use crate::jwt::decode_segment;
use crate::metadata::Problem;
use std::collections::HashSet;

/// At most this many problems are listed.
pub const MAX_PROBLEMS: usize = 64;

/// A published key set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwks {
    /// Every item of `keys` that is an object, in order.
    pub keys: Vec<Jwk>,
    /// What is wrong with the set, at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
}

/// One key; members are `None` where they are absent or no string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// Its place in `keys`.
    pub index: usize,
    /// The key type: `RSA`, `EC`, `OKP`, `oct`, …
    pub kty: Option<String>,
    /// The key identifier.
    pub kid: Option<String>,
    /// The algorithm it is for.
    pub alg: Option<String>,
    /// `sig` or `enc`.
    pub public_key_use: Option<String>,
    /// The curve of an EC or OKP key.
    pub crv: Option<String>,
    /// The length of an RSA key's modulus in bits.
    pub modulus_bits: Option<usize>,
    /// It holds private or symmetric key material.
    pub is_private: bool,
    /// The members as sent.
    pub value: Value,
}

/// Members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads a key set.
pub fn jwks(doc: &Document) -> Jwks {
    let mut set = Jwks::default();
    for pointer in &doc.duplicates {
        set.problem(
            pointer.trim_start_matches('/'),
            "is repeated",
            "RFC 8259 §4",
        );
    }
    let Some(keys) = doc.value.get("keys") else {
        set.problem("keys", "is missing", "RFC 7517 §5.1");
        return set;
    };
    let Some(keys) = keys.as_array() else {
        set.problem("keys", "is no array", "RFC 7517 §5.1");
        return set;
    };
    let mut kids = HashSet::new();
    for (index, value) in keys.iter().enumerate() {
        if value.as_object().is_none() {
            set.problem(&format!("keys/{index}"), "is no object", "RFC 7517 §5.1");
            continue;
        }
        let key = read_key(index, value, &mut set);
        if key.kid.clone().is_some_and(|kid| !kids.insert(kid)) {
            set.problem(
                &format!("keys/{index}/kid"),
                "is another key's too",
                "RFC 7517 §4.5",
            );
        }
        set.keys.push(key);
    }
    let uses: HashSet<_> = set
        .keys
        .iter()
        .filter_map(|k| k.public_key_use.clone())
        .collect();
    let unmarked = set
        .keys
        .iter()
        .find(|k| k.public_key_use.is_none())
        .map(|k| k.index);
    if let (true, Some(index)) = (uses.contains("sig") && uses.contains("enc"), unmarked) {
        let what = "is missing though the set has keys for signing and for encryption";
        set.problem(&format!("keys/{index}/use"), what, "RFC 8414 §2");
    }
    set
}

impl Jwks {
    /// The key of that identifier, if exactly one has it.
    pub fn by_kid(&self, kid: &str) -> Option<&Jwk> {
        let mut keys = self.keys.iter().filter(|k| k.kid.as_deref() == Some(kid));
        keys.next().filter(|_| keys.next().is_none())
    }

    fn problem(&mut self, member: &str, what: impl Into<String>, clause: &'static str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                member: member.to_owned(),
                what: what.into(),
                clause,
            });
        }
    }
}

fn read_key(index: usize, value: &Value, set: &mut Jwks) -> Jwk {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    for name in ["kty", "kid", "alg", "use", "crv"] {
        if value.get(name).is_some_and(|v| v.as_str().is_none()) {
            set.problem(
                &format!("keys/{index}/{name}"),
                "is no string",
                "RFC 7517 §4",
            );
        }
    }
    let secret = SECRET_MEMBERS.iter().find(|name| value.get(name).is_some());
    if let Some(name) = secret {
        let member = format!("keys/{index}/{name}");
        set.problem(
            &member,
            "is private or symmetric key material",
            "RFC 7517 §9.2",
        );
    }
    let kty = text("kty");
    // The public members of each type and, by curve, how long they are (RFC 7518 §6, RFC 8037 §2).
    let members: &[&str] = match kty.as_deref() {
        None => {
            set.problem(&format!("keys/{index}/kty"), "is missing", "RFC 7517 §4.1");
            &[]
        }
        Some("RSA") => &["n", "e"],
        Some("EC") => &["crv", "x", "y"],
        Some("OKP") => &["crv", "x"],
        Some(_) => &[],
    };
    let coordinate = match text("crv").as_deref() {
        Some("P-256" | "Ed25519" | "X25519" | "secp256k1") => Some(32),
        Some("P-384") => Some(48),
        Some("X448") => Some(56),
        Some("Ed448") => Some(57),
        Some("P-521") => Some(66),
        _ => None,
    };
    let mut modulus_bits = None;
    for name in members {
        let member = format!("keys/{index}/{name}");
        let Some(text) = text(name) else {
            set.problem(&member, "is missing or no string", "RFC 7518 §6");
            continue;
        };
        if *name == "crv" {
            continue;
        }
        let Some(bytes) = decode_segment(&text) else {
            set.problem(&member, "is not base64url without padding", "RFC 7518 §2");
            continue;
        };
        match *name {
            "n" => {
                let bits = bit_length(&bytes);
                if bits < 2048 {
                    set.problem(
                        &member,
                        format!("has {bits} bits, not 2048 or more"),
                        "RFC 7518 §3.3",
                    );
                }
                modulus_bits = Some(bits);
            }
            "x" | "y" if coordinate.is_some_and(|len| len != bytes.len()) => {
                set.problem(&member, "has not the curve's length", "RFC 7518 §6.2.1.2");
            }
            _ => {}
        }
    }
    Jwk {
        index,
        kid: text("kid"),
        alg: text("alg"),
        public_key_use: text("use"),
        crv: text("crv"),
        modulus_bits,
        is_private: secret.is_some() || kty.as_deref() == Some("oct"),
        kty,
        value: value.clone(),
    }
}

/// The length in bits of a big-endian number.
fn bit_length(bytes: &[u8]) -> usize {
    let significant = bytes.iter().skip_while(|b| **b == 0);
    let Some(first) = significant.clone().next() else {
        return 0;
    };
    significant.count() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, scan};
    use crate::jwt::encode_segment;

    fn read(keys: &str) -> Jwks {
        jwks(&scan(format!("{{\"keys\":{keys}}}").as_bytes(), Limits::default()).unwrap())
    }

    fn rsa(bytes: usize, more: &str) -> String {
        let n = encode_segment(&vec![0xFF; bytes]);
        format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"{more}}}"#)
    }

    #[test]
    fn public_keys_pass() {
        let xy = encode_segment(&[1; 32]);
        let ec = format!(r#"{{"kty":"EC","crv":"P-256","x":"{xy}","y":"{xy}","kid":"b"}}"#);
        let set = read(&format!("[{},{ec}]", rsa(256, r#","kid":"a""#)));
        assert_eq!(set.problems, []);
        assert_eq!(set.by_kid("a").unwrap().modulus_bits, Some(2048));
        assert!(!set.keys[1].is_private);
    }

    #[test]
    fn what_must_not_be_published_is_named() {
        for (keys, member) in [
            (format!("[{}]", rsa(256, r#","d":"AA""#)), "keys/0/d"),
            (r#"[{"kty":"oct","k":"AA"}]"#.to_owned(), "keys/0/k"),
            (format!("[{}]", rsa(128, "")), "keys/0/n"),
            (
                format!("[{0},{0}]", rsa(256, r#","kid":"a""#)),
                "keys/1/kid",
            ),
            (
                r#"[{"kty":"EC","crv":"P-256","x":"AA","y":"A="}]"#.to_owned(),
                "keys/0/y",
            ),
            (
                r#"[{"kty":"EC","crv":"P-256","x":"AA","y":"A="}]"#.to_owned(),
                "keys/0/x",
            ),
            ("[{}]".to_owned(), "keys/0/kty"),
            ("[1]".to_owned(), "keys/0"),
            ("{}".to_owned(), "keys"),
            (
                format!(
                    "[{},{},{}]",
                    rsa(256, r#","use":"sig""#),
                    rsa(256, r#","use":"enc""#),
                    rsa(256, "")
                ),
                "keys/2/use",
            ),
        ] {
            let set = read(&keys);
            assert!(
                set.problems.iter().any(|p| p.member == member),
                "{member}: {:?}",
                set.problems
            );
        }
        assert!(read(r#"[{"kty":"oct"}]"#).keys[0].is_private);
    }
}
