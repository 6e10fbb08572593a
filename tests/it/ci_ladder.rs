//! The ladder of `docs/ci/README.md`: each command ends as the table says, with a server that is broken and with one that is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use refserver::{Fault, Options, Server};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The commands of the table, from the lowest rung up.
fn rungs() -> Vec<String> {
    let text = read("docs/ci/README.md");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("`oauthspec run"));
    rows.map(|row| {
        let command = row.split('`').nth(1).unwrap();
        command.replace("\\|", "|")
    })
    .collect()
}

struct Ci {
    folder: PathBuf,
    // Answers as long as this lives.
    _server: Server,
}

impl Ci {
    async fn with(name: &str, faults: &[&str]) -> Ci {
        let server = refserver::serve(Options {
            faults: faults
                .iter()
                .map(|name| Fault::parse(name).unwrap())
                .collect(),
            ..Options::default()
        });
        let server = server.await.unwrap();
        let folder =
            std::env::temp_dir().join(format!("oauthspec-ladder-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let target = oauthspec::targets::reference::target(server.facts());
        let file = oauthspec::cli::describe(&target, &[]);
        std::fs::write(folder.join("as.toml"), file).unwrap();
        Ci {
            folder,
            _server: server,
        }
    }

    /// A command line as a job runs it, of two suites only.
    async fn runs(&self, line: &str) -> (Option<i32>, String) {
        let line = line.replace(
            "as.toml",
            "as.toml --suite pkce --suite iss --report json=last.json",
        );
        let program = Path::new(env!("CARGO_BIN_EXE_oauthspec")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-c", &line])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", program.display()));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

impl Drop for Ci {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rung_ends_as_the_table_says() {
    let rungs = rungs();
    assert_eq!(rungs.len(), 5, "{rungs:?}");
    let broken = Ci::with("broken", &["pkce-plain", "iss-missing"]).await;
    let update = "oauthspec run as.toml --waivers waivers.toml --update-waivers";
    assert!(read("docs/ci/README.md").contains(update));
    for (line, expected) in [
        (rungs[0].as_str(), 0),
        (rungs[1].as_str(), 1),
        // What it writes counts from the next run on.
        (update, 1),
        (rungs[2].as_str(), 0),
        (rungs[3].as_str(), 1),
        (rungs[4].as_str(), 1),
    ] {
        let (code, said) = broken.runs(line).await;
        assert_eq!(code, Some(expected), "{line}\n{said}");
    }
    let waivers = std::fs::read_to_string(broken.folder.join("waivers.toml")).unwrap();
    assert_eq!(waivers.matches("[[waiver]]").count(), 5, "{waivers}");

    // The same waivers where all of that is mended are too many; without them nothing is left to say.
    let mended = Ci::with("mended", &[]).await;
    std::fs::write(mended.folder.join("waivers.toml"), &waivers).unwrap();
    let (code, said) = mended.runs(&rungs[2]).await;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("is stale").count(), 5, "{said}");
    let _ = mended.runs(update).await;
    for line in [&rungs[2], &rungs[3], &rungs[4]] {
        let (code, said) = mended.runs(line).await;
        assert_eq!(code, Some(0), "{line}\n{said}");
    }
    let waivers = std::fs::read_to_string(mended.folder.join("waivers.toml")).unwrap();
    assert!(!waivers.contains("[[waiver]]"), "{waivers}");

    // From the broken server to the mended one, and back.
    let reports = [&broken, &mended].map(|ci| ci.folder.join("last.json").display().to_string());
    let compare = |old: &str, new: &str| format!("oauthspec compare --markdown {old} {new}");
    let (code, said) = mended.runs(&compare(&reports[0], &reports[1])).await;
    assert_eq!(
        (code, said.contains("**mended**")),
        (Some(0), true),
        "{said}"
    );
    let (code, said) = mended.runs(&compare(&reports[1], &reports[0])).await;
    assert_eq!(
        (code, said.contains("**broken**")),
        (Some(1), true),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_whose_day_is_over_or_that_fits_nothing_fails_the_job() {
    let broken = Ci::with("waivers", &["pkce-plain"]).await;
    let waiver = |case: &str, more: &str| {
        format!("[[waiver]]\ncase = \"{case}\"\nreason = \"known\"\n{more}\n")
    };
    let known = waiver("pkce.plain-*", "");
    for (waivers, expected, word) in [
        (known.clone(), 0, "known"),
        (
            waiver("pkce.plain-*", "expires = 2020-01-31"),
            1,
            "has expired",
        ),
        (known + &waiver("pcke.plain-*", ""), 1, "pcke.plain-*"),
        ("[[waiver]]\ncase = \"pkce.*\"\n".to_owned(), 2, "reason"),
    ] {
        std::fs::write(broken.folder.join("waivers.toml"), &waivers).unwrap();
        let (code, said) = broken
            .runs("oauthspec run as.toml --waivers waivers.toml")
            .await;
        assert_eq!(
            (code, said.contains(word)),
            (Some(expected), true),
            "{waivers}\n{said}"
        );
    }
}
