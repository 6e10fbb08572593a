//! Compact JWE (RFC 7516 §3.1, §5.1) under a key that nobody else has: what a server must refuse that expects a signature.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Map, Value};

use crate::hash::{base64url, random_token, sha256};

/// Encrypts a text with a fresh key that is then forgotten: `alg` dir, `enc` A256GCM. The other header members stay; `kid` names the server's key.
pub(crate) fn encrypt(header: &Map<String, Value>, text: &[u8]) -> String {
    seal(header, text, &sha256(random_token(32).as_bytes()))
}

fn seal(header: &Map<String, Value>, text: &[u8], key: &[u8; 32]) -> String {
    let mut header = header.clone();
    header.insert("alg".into(), "dir".into());
    header.insert("enc".into(), "A256GCM".into());
    let header = base64url(Value::Object(header).to_string());
    let mut iv = [0; 12];
    for (to, from) in iv.iter_mut().zip(sha256(random_token(32).as_bytes())) {
        *to = from;
    }
    let mut sealed = text.to_vec();
    let tag = UnboundKey::new(&AES_256_GCM, key).and_then(|key| {
        LessSafeKey::new(key).seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(header.as_bytes()),
            &mut sealed,
        )
    });
    // It cannot fail with a key of 32 bytes; a text without its tag would be refused all the same.
    let tag = tag.map_or_else(|_| Vec::new(), |tag| tag.as_ref().to_vec());
    format!(
        "{header}..{}.{}.{}",
        base64url(iv),
        base64url(sealed),
        base64url(tag)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::base64url_decode;

    #[test]
    fn who_has_the_key_reads_it_and_nobody_else() {
        let header = serde_json::json!({"typ": "at+jwt", "kid": "k"});
        let key = sha256(b"a key of this test");
        let text = br#"{"sub":"alice"}"#;
        let jwe = seal(header.as_object().unwrap(), text, &key);
        let parts: Vec<&str> = jwe.split('.').collect();
        let [head, "", iv, sealed, tag] = parts[..] else {
            panic!("five parts, the second empty: {jwe}");
        };
        let head_members: Value = serde_json::from_slice(&base64url_decode(head).unwrap()).unwrap();
        assert_eq!(head_members["enc"], "A256GCM");
        assert_eq!(
            (&head_members["alg"], &head_members["kid"]),
            (&"dir".into(), &"k".into())
        );
        let open = |key: &[u8; 32]| {
            let iv: [u8; 12] = base64url_decode(iv).unwrap().try_into().unwrap();
            let mut both = [sealed, tag]
                .map(|part| base64url_decode(part).unwrap())
                .concat();
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
            let nonce = Nonce::assume_unique_for_key(iv);
            let read = key.open_in_place(nonce, Aad::from(head.as_bytes()), &mut both);
            read.map(|text| text.to_vec()).ok()
        };
        assert_eq!(open(&key).as_deref(), Some(&text[..]));
        assert_eq!(open(&sha256(b"another key")), None);
    }
}
