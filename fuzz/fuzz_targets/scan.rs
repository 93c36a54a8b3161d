//! What stands between strangers' documents and the parser: the scan, the parser behind it, and the limits behind both.
//!
//! For any text the scan answers, and soon. What it lets through the parser reads soon, and it holds no more than the scan
//! allowed: each limit, set to one less than what the parser found, makes the scan refuse.
#![no_main]

use std::time::Duration;

use async_graphql::{Variables, parser::parse_query};
use cpu_time::ThreadTime;
use libfuzzer_sys::fuzz_target;

// The modules themselves, so that the target compiles without the rest of the service.
#[expect(dead_code, reason = "what only the service uses of them")]
#[path = "../../src/graphql"]
mod graphql {
    pub mod limits;
    pub mod scan;
}
#[path = "scan/found.rs"]
mod found;

use found::Found;
use graphql::{
    limits::{self, Limits},
    scan::{Refused, scan},
};

/// In the processor's time, in a build with a sanitizer, which is ten times slower than a release.
const SCAN_WITHIN: Duration = Duration::from_millis(50);
const PARSED_WITHIN: Duration = Duration::from_millis(1_000);
const MEASURED_WITHIN: Duration = Duration::from_millis(500);

fn within<T>(bound: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let begun = ThreadTime::now();
    let done = work();
    let took = begun.elapsed();
    assert!(took < bound, "{what} took {took:?}");
    done
}

fuzz_target!(|document: &str| {
    let limits = Limits::default();
    let Ok(()) = within(SCAN_WITHIN, "the scan", || scan(document, &limits)) else {
        // What is refused for its size is read to the end all the same where the size is allowed.
        let large = Limits { bytes: usize::MAX, ..limits };
        let _ = within(SCAN_WITHIN, "the scan of a large document", || scan(document, &large));
        return;
    };
    let Ok(parsed) = within(PARSED_WITHIN, "the parser", || parse_query(document)) else {
        return;
    };
    let found = Found::of(&parsed, limits.expansion);
    assert!(found.nesting <= limits.nesting, "{} levels passed", found.nesting);
    assert!(found.tokens <= limits.tokens, "{} tokens passed", found.tokens);
    assert!(found.directives <= limits.directives, "{} directives passed", found.directives);
    assert!(found.expansion <= limits.expansion, "{} tokens expanded passed", found.expansion);

    let below = [
        (found.tokens, Limits { tokens: found.tokens.saturating_sub(1), ..limits.clone() }),
        (found.nesting, Limits { nesting: found.nesting.saturating_sub(1), ..limits.clone() }),
        (found.directives, Limits { directives: found.directives.saturating_sub(1), ..limits.clone() }),
    ];
    for (counted, limits) in below {
        if counted > 0 {
            let refused = scan(document, &limits);
            assert!(matches!(refused, Err(Refused::Exceeded(_))), "fewer than {found:?} were counted");
        }
    }
    // Without a spread there is nothing to expand.
    if found.spreads > 0 && found.expansion > 0 {
        let limits = Limits { expansion: found.expansion - 1, ..limits.clone() };
        assert!(scan(document, &limits).is_err(), "an expansion to fewer than {found:?} was counted");
    }
    for (_, operation) in parsed.operations.iter() {
        let _ = within(MEASURED_WITHIN, "the limits", || {
            limits::check(&parsed, &operation.node, &Variables::default(), &limits)
        });
    }
});
