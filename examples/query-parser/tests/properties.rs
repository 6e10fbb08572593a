//! The parsers of this example under the properties of `wire::fuzzing::check_query_parser`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestError, TestRunner};
use query_parser_example::{careful, sloppy};
use wire::fuzzing::check_query_parser;

/// Any bytes, and texts of the characters that matter.
fn queries() -> impl Strategy<Value = Vec<u8>> {
    let words = vec![
        "a", "code", "state", "=", "&", "%", "%3D", "%26", "%20", "+", "%2B", "%ff", "é", "",
    ];
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(select(words), 0..12).prop_map(|words| words.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn the_careful_parser_holds(query in queries()) {
        check_query_parser(&query, careful);
    }
}

/// In a project of your own this is the test above with your parser in it. Here it must fail.
#[test]
fn the_sloppy_parser_is_found_out_within_seconds() {
    let began = std::time::Instant::now();
    // What is found here is no regression to keep.
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let found = TestRunner::new(config).run(&queries(), |query| {
        check_query_parser(&query, sloppy);
        Ok(())
    });
    let Err(TestError::Fail(reason, smallest)) = found else {
        panic!("nothing was found: {found:?}");
    };
    let seen = format!("{reason} {}", String::from_utf8_lossy(&smallest));
    assert!(
        seen.contains("other pairs") || seen.contains("not what was encoded"),
        "{seen}"
    );
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
