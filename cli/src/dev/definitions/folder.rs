//! Definitions in a folder, by the names of their files.

use std::io;
use std::path::{Path, PathBuf};

use asl::document;

use super::template;
use crate::source;

/// What a folder has.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Definitions, in the order of their paths.
    pub files: Vec<PathBuf>,
    /// The folder and those below it that were looked into.
    pub folders: Vec<PathBuf>,
    /// Whether something was left out, for there is too much.
    pub cut: bool,
}

/// Entries that are looked at: a home folder named by mistake must not be read for minutes.
const ENTRIES_MAX: usize = 100_000;

/// Folders are nested this deep at most.
const DEPTH_MAX: usize = 16;

/// Folders that hold what others wrote, or what was built.
const SKIPPED: [&str; 3] = ["node_modules", "target", "cdk.out"];

const ENDINGS: [&str; 3] = [".asl.json", ".asl.yaml", ".asl.yml"];

/// Looks for `*.asl.json`, `*.asl.yaml` and `*.asl.yml`. Hidden folders are left out, and links to
/// folders are not followed.
pub fn scan(folder: &Path) -> io::Result<Scanned> {
    let mut scanned = Scanned::default();
    let mut entries = 0;
    let mut waiting = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if depth == 0 => return Err(error),
            // One that others may not look into is no reason to give up.
            Err(_) => continue,
        };
        scanned.folders.push(folder.clone());
        for entry in listed.flatten() {
            entries += 1;
            if entries > ENTRIES_MAX {
                scanned.cut = true;
                waiting.clear();
                break;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                let is_skipped = name.starts_with('.') || SKIPPED.contains(&name.as_str());
                if !is_skipped && depth < DEPTH_MAX {
                    waiting.push((entry.path(), depth + 1));
                }
            } else if is_definition(&name) && entry.path().is_file() {
                scanned.files.push(clean(&entry.path()));
            }
        }
    }
    scanned.files.sort();
    Ok(scanned)
}

/// Whether a file of this name is taken for a definition.
pub fn is_definition(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with('.') && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether the file is a template with something to run.
pub fn is_template(path: &Path) -> bool {
    let root =
        source::read_text(path).ok().and_then(|text| document::read(&text, source::format_of(path)).ok());
    root.is_some_and(|root| template::is_template(&root) && template::has_machines(&root))
}

/// Without a leading `./`.
fn clean(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_definitions() {
        for (name, expected) in [
            ("a.asl.json", true),
            ("a.ASL.yaml", true),
            ("a.asl.yml", true),
            ("a.json", false),
            (".a.asl.json", false),
            ("a.asl.json~", false),
            ("asl.json", false),
        ] {
            assert_eq!(is_definition(name), expected, "{name}");
        }
    }

    #[test]
    fn folders_are_looked_through() {
        let root = tempfile::tempdir().expect("a folder");
        for path in
            ["b.asl.json", "sub/a.asl.yaml", ".git/c.asl.json", "node_modules/m/d.asl.json", "sub/e.json"]
        {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is made");
            std::fs::write(path, "{}").expect("it is written");
        }
        let scanned = scan(root.path()).expect("it is there");
        let found: Vec<_> =
            scanned.files.iter().map(|file| file.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(found, [Path::new("b.asl.json"), Path::new("sub/a.asl.yaml")]);
        assert_eq!((scanned.folders.len(), scanned.cut), (2, false));
        assert!(scan(&root.path().join("none")).is_err());
    }
}
