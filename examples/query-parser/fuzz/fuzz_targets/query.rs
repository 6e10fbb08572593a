#![no_main]
use query_parser_example::sloppy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::check_query_parser(data, sloppy));
