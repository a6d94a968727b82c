//! Checks what DESIGN section 6 says about where things stand: which crate and
//! which module knows which, where SQL may be, and how long a file gets.
//!
//! A new module of `shared` needs a line in [`MODULES`], so that its place among
//! the others is decided rather than found out later.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Crates of the workspace, what each may depend on, and what its tests may too.
const CRATES: &[(&str, &[&str], &[&str])] = &[
    ("shared", &[], &[]),
    ("enqueuer", &["shared"], &["sandbox"]),
    ("worker", &["shared"], &["sandbox"]),
    // The tests judge by it, so it shares no code with what they judge.
    ("sandbox", &[], &[]),
    ("larder", &["enqueuer", "sandbox", "shared", "worker"], &[]),
];

/// Modules of `shared` and what each may import. `metrics` and `model` are for
/// everybody.
const MODULES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("metrics", &["model"]),
    ("retry", &[]),
    ("logging", &[]),
    ("orphans", &[]),
    ("config", &["model", "plan"]),
    ("provider", &["config", "metrics", "model"]),
    ("budget", &["model"]),
    // What the configuration comes to, from both sides that read it.
    (
        "catalog",
        &["budget", "config", "model", "plan", "provider"],
    ),
    ("setup", &["catalog", "config"]),
    ("plan", &["model"]),
    (
        "planner",
        &["catalog", "config", "plan", "provider", "store"],
    ),
    ("schedule", &["store"]),
    ("store", &["budget", "metrics", "model", "plan", "retry"]),
];

/// What inserts jobs stays small: it never imports what serves readers.
const JOBS_SIDE: &[&str] = &["jobs", "tick"];
const READERS_SIDE: &[&str] = &["memory", "plan", "planner", "proxy", "reads"];

/// Files with SQL outside `shared/src/store`, each with its reason.
const SQL_ELSEWHERE: &[(&str, &str)] = &[(
    "larder/src/postgres/cluster.rs",
    "creates the database in which the SQL of the store runs",
)];

/// Signs of SQL in code, matched in lower case.
const SQL_SIGNS: &[&str] = &[
    "sqlx::query",
    "query!(",
    "query_as!(",
    "query_scalar!(",
    "querybuilder",
    "\"select ",
    "\"insert into ",
    "\"delete from ",
    "\"create ",
    "\"alter ",
    "\"drop ",
    "\"notify ",
    "\"listen ",
    "\"set local ",
];

/// A longer file answers more than one question.
const LONGEST_LINES: usize = 350;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn crates_depend_on_each_other_in_one_direction_only() {
    let names: BTreeSet<&str> = CRATES.iter().map(|(name, _, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, allowed, allowed_in_tests) in CRATES {
        let manifest = read(&root().join(name).join("Cargo.toml"));
        let manifest: toml::Table = manifest.parse().unwrap();
        let with_tests: Vec<&str> = [*allowed, *allowed_in_tests].concat();
        for (section, allowed) in [
            ("dependencies", *allowed),
            ("build-dependencies", &[]),
            ("dev-dependencies", &with_tests),
        ] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for dependency in dependencies.keys() {
                let dependency = dependency.as_str();
                if names.contains(dependency) && !allowed.contains(&dependency) {
                    wrong.push(format!("{name} [{section}]: {dependency}"));
                }
            }
        }
    }
    assert_none("arrows between crates that DESIGN does not draw", &wrong);
}

#[test]
fn every_member_of_the_workspace_is_listed_here() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<&str> = members.iter().map(|name| name.as_str().unwrap()).collect();
    let listed: BTreeSet<&str> = CRATES.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(members, listed);
}

#[test]
fn modules_of_shared_import_each_other_in_one_direction_only() {
    let src = root().join("shared/src");
    let known: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{module}: not in MODULES of this test"));
            continue;
        };
        for import in imports(&read(&file), inside.iter().count()) {
            let import = import.as_str();
            if import != module && known.contains(&import) && !allowed.contains(&import) {
                wrong.push(format!("{}: crate::{import}", inside.display()));
            }
        }
    }
    assert_none("arrows inside shared that DESIGN does not draw", &wrong);
}

#[test]
fn what_inserts_jobs_does_not_import_what_serves_readers() {
    let src = root().join("enqueuer/src");
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let mut names = inside
            .iter()
            .map(|part| part.to_str().unwrap().trim_end_matches(".rs"));
        if !names.any(|name| JOBS_SIDE.contains(&name)) {
            continue;
        }
        for path in paths_from_crate(&read(&file)) {
            if path.split("::").any(|name| READERS_SIDE.contains(&name)) {
                wrong.push(format!("{}: crate::{path}", inside.display()));
            }
        }
    }
    assert_none(
        "imports that make the job side of the enqueuer large",
        &wrong,
    );
}

#[test]
fn sql_stands_in_the_store_only() {
    let mut wrong = Vec::new();
    for (name, file) in all_sources() {
        let excepted = SQL_ELSEWHERE.iter().any(|(path, _)| *path == name);
        if excepted || name.starts_with("shared/src/store") {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let line = line.trim().to_lowercase();
            let sign = SQL_SIGNS.iter().find(|sign| line.contains(**sign));
            if let (Some(sign), false) = (sign, line.starts_with("//")) {
                wrong.push(format!("{name}:{}: {sign}", number + 1));
            }
        }
    }
    assert_none("SQL outside shared/src/store and migrations", &wrong);
}

#[test]
fn no_file_is_longer_than_one_question_needs() {
    let mut wrong = Vec::new();
    for (name, file) in all_sources() {
        let lines = read(&file).lines().count();
        let excepted = LONGER.iter().any(|(path, _)| *path == name);
        match lines > LONGEST_LINES {
            true if !excepted => wrong.push(format!("{name}: {lines} lines")),
            false if excepted => wrong.push(format!("{name}: needs no exception any more")),
            _ => {}
        }
    }
    assert_none("files that should be split", &wrong);
}

#[test]
fn exceptions_name_files_that_exist() {
    for (path, _) in SQL_ELSEWHERE.iter().chain(LONGER) {
        assert!(root().join(path).is_file(), "{path}");
    }
}

#[test]
fn imports_are_read_in_all_their_spellings() {
    let code = "
        use crate::model::Job;
        use crate::{config::{Limits, read}, db, store as rows};
        // use crate::commented;
        fn f() -> crate::budget::Cap { super::super::plan::cap() }
    ";
    let found: Vec<String> = imports(code, 2).into_iter().collect();
    assert_eq!(found.join(" "), "budget config db model plan store");

    let grouped = paths_from_crate("use crate::{a::{b, c as d}, e};");
    assert_eq!(grouped, ["a::b", "a::c", "e"]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Source files of all crates, with their path from the root of the workspace.
fn all_sources() -> Vec<(String, PathBuf)> {
    let root = root();
    CRATES
        .iter()
        .flat_map(|(name, _, _)| sources(&root.join(name).join("src")))
        .map(|file| {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
            (name.to_owned(), file)
        })
        .collect()
}

/// Files ending in `.rs` below `dir`, sorted.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// First names after `crate::`, and after as many `super::` as lead to the root
/// from a file that stands `depth` levels below it.
fn imports(code: &str, depth: usize) -> BTreeSet<String> {
    let upwards = "super::".repeat(depth);
    let code = code.replace(&upwards, "crate::");
    paths_from_crate(&code)
        .iter()
        .filter_map(|path| path.split("::").next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Paths after `crate::`, with groups in braces written out; comments are left
/// out, since documentation may link anywhere.
fn paths_from_crate(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line.split(" // ").next().unwrap_or(line), "\n"])
        .collect();
    code.split("crate::").skip(1).flat_map(paths).collect()
}

/// The paths that a text after `::` starts with: `a::b`, or `{a::b, c as d}`.
fn paths(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let Some(group) = text.strip_prefix('{') else {
        let end = text.find(|c| !is_path(c)).unwrap_or(text.len());
        let (path, rest) = text.split_at(end);
        let nested = match rest.strip_prefix('{') {
            Some(_) if path.ends_with("::") => paths(rest),
            _ => vec![String::new()],
        };
        return nested
            .iter()
            .map(|end| format!("{path}{end}").trim_end_matches("::").to_owned())
            .collect();
    };
    let mut depth = 1;
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            found.extend(paths(group[start..at].trim()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}\n", found.join("\n  "));
}
