//! A file's name, followed through symbolic links, with every name and link on the way.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Symbolic links that are followed; as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Target of a name, and the links on the way: all of them decide which file the name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    names: Vec<PathBuf>,
    folder_links: Vec<PathBuf>,
}

impl Resolved {
    /// Follows a name as far as there are files; whether the last one exists is not looked at.
    pub fn of(name: &Path) -> Self {
        // Relative names depend on the working directory, which stays as it is.
        let name = std::path::absolute(name).unwrap_or_else(|_| name.to_owned());
        let mut at = PathBuf::new();
        let mut left: Vec<OsString> = parts(&name);
        let (mut names, mut folder_links) = (Vec::new(), Vec::new());
        while let Some(part) = left.pop() {
            // Links in front are resolved already, so `..` means the folder that is reached.
            if part == OsStr::new("..") {
                at.pop();
                continue;
            }
            let path = at.join(part);
            // A circle of links would never end, and the kernel gives up at this number too.
            let link = match names.len() + folder_links.len() {
                0..LINKS_MAX => fs::read_link(&path).ok(),
                _ => None,
            };
            // The last part is the file's own name; each one is kept, as Kea may know any of them.
            if left.is_empty() {
                names.push(path.clone());
            } else if link.is_some() {
                folder_links.push(path.clone());
            }
            match link {
                // An absolute target replaces `at` when its first part, the root, is joined.
                Some(target) => left.append(&mut parts(&target)),
                None => at = path,
            }
        }
        // An empty name or the root has no last part.
        if names.is_empty() {
            names.push(name);
        }
        Self { names, folder_links }
    }

    /// The file's own name, which is no link.
    pub fn target(&self) -> &Path {
        &self.names[self.names.len() - 1]
    }

    /// Returns all names of the file from the first to its own, none of whose folders is behind a link.
    pub fn names(&self) -> &[PathBuf] {
        &self.names
    }

    /// The symbolic links to folders that are on the way.
    pub fn folder_links(&self) -> &[PathBuf] {
        &self.folder_links
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    #[test]
    fn a_name_without_links_is_its_own_target() {
        let (_folder, at) = folder();
        let resolved = Resolved::of(&at.join("leases"));
        assert_eq!((resolved.names(), resolved.folder_links().len()), (&[at.join("leases")][..], 0));
        let here = Resolved::of(Path::new("leases"));
        assert_eq!(here.target(), std::env::current_dir().unwrap().canonicalize().unwrap().join("leases"));
    }

    /// A volume as Kubernetes mounts it: file → ..data/file, ..data → ..1.
    #[test]
    fn links_of_files_and_of_folders() {
        let (_folder, at) = folder();
        fs::create_dir(at.join("..1")).unwrap();
        symlink("..1", at.join("..data")).unwrap();
        symlink("..data/leases", at.join("leases")).unwrap();
        symlink(at.join("leases"), at.join("outer")).unwrap();
        let resolved = Resolved::of(&at.join("..1/../outer"));
        assert_eq!(resolved.names(), [at.join("outer"), at.join("leases"), at.join("..1/leases")]);
        assert_eq!(resolved.folder_links(), [at.join("..data")]);
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let (_folder, at) = folder();
        symlink("b", at.join("a")).unwrap();
        symlink("a", at.join("b")).unwrap();
        assert!(Resolved::of(&at.join("a")).names().len() <= LINKS_MAX + 1);
        assert!(Resolved::of(&at.join("a/leases")).folder_links().len() <= LINKS_MAX);
    }

    /// The kernel's own resolution is the judge, for all that exists.
    #[test]
    fn targets_are_those_of_the_kernel() {
        let (_folder, at) = folder();
        for name in ["x/y/z", "w"] {
            fs::create_dir_all(at.join(name)).unwrap();
        }
        let links = [
            ("l1", "x"),
            ("x/l2", "../w"),
            ("w/l3", "../l1/y"),
            ("x/y/l4", "../../w/l3/z"),
            ("l5", "x/l2/l3"),
        ];
        for (link, target) in links {
            symlink(target, at.join(link)).unwrap();
        }
        for folder in ["x", "w", "l1", "x/l2", "w/l3", "x/y/l4", "l5", "l1/l2/l3/l4", "l5/../l2/l3/l4/.."] {
            fs::write(at.join(folder).join("leases"), "").unwrap();
            let name = at.join(folder).join("leases");
            assert_eq!(Resolved::of(&name).target(), name.canonicalize().unwrap(), "{folder}");
        }
    }
}
