#![no_main]
// Nothing but the reader that `query` compares with.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    std::hint::black_box(url::form_urlencoded::parse(data).into_owned().collect::<Vec<_>>());
});
