//! Embeds every scenario under `scenarios/` as a table: family by family, in the order of its `course.txt`, if it has
//! one, and then by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = folder_of("CARGO_MANIFEST_DIR")?;
    let folder = root.join("scenarios");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(&folder, &mut files)?;
    } else {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
    let mut names: Vec<(String, PathBuf)> = files
        .into_iter()
        .filter_map(|file| {
            let inside = file.strip_prefix(&folder).ok()?.with_extension("");
            Some((inside.to_str()?.replace('\\', "/"), file))
        })
        .collect();
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, _) in &names {
        let family = name.split('/').next().unwrap_or_default();
        if !families.contains_key(family) {
            families.insert(family.to_owned(), course(&folder.join(family))?);
        }
    }
    names.sort_by_cached_key(|(name, _)| {
        let (family, lesson) = name.split_once('/').unwrap_or(("", name));
        let course = families.get(family).map(Vec::as_slice).unwrap_or_default();
        let at = course.iter().position(|one| one == lesson).unwrap_or(course.len());
        (family.to_owned(), at, name.clone())
    });
    let mut table = String::from("static BUILT_IN: &[BuiltIn] = &[\n");
    for (name, file) in names {
        let path = format!("scenarios/{name}.toml");
        let file = file.to_string_lossy();
        let line = format!("BuiltIn {{ name: {name:?}, path: {path:?}, text: include_str!({file:?}) }},");
        writeln!(table, "    {line}").map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    let out = folder_of("OUT_DIR")?;
    fs::write(out.join("catalog.rs"), table)
}

/// A folder that Cargo names.
fn folder_of(variable: &str) -> io::Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| io::Error::other(variable.to_owned()))
}

/// The order in which a family's lessons are meant to be taken.
fn course(folder: &Path) -> io::Result<Vec<String>> {
    let file = folder.join("course.txt");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    println!("cargo:rerun-if-changed={}", file.display());
    let text = fs::read_to_string(file)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

/// Every folder is watched, so that new files are noticed; every file is watched by being included.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
