#![no_main]
// Nothing but the reader that `json` compares with.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = std::hint::black_box(serde_json::from_slice::<serde_json::Value>(data));
});
