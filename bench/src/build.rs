//! Builds the functions under test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::programs::Program;

/// The target directory. Functions are built next to this program, with the same profile.
pub struct Builds {
    profile: &'static str,
    directory: PathBuf,
}

impl Builds {
    pub fn beside_this_program() -> Result<Self> {
        let this = std::env::current_exe()?;
        let profile = this.parent().ok_or("this program has no directory")?;
        if profile.file_name().is_none_or(|name| name != "release") {
            return Err("build this program with --release, like the functions".into());
        }
        Ok(Self { profile: "release", directory: profile.to_owned() })
    }

    /// The same with debug names.
    pub fn with_symbols() -> Result<Self> {
        let profile = "profiling";
        Ok(Self { profile, directory: Self::beside_this_program()?.directory.with_file_name(profile) })
    }

    /// Builds all binaries of a package separately from other packages, so that only its own features are enabled.
    pub fn build(&self, package: &str) -> Result<()> {
        self.cargo_build(package, &["--bins"])
    }

    /// Builds one binary.
    pub fn build_only(&self, program: Program) -> Result<()> {
        self.cargo_build(program.package, &["--bin", program.bin])
    }

    /// Builds one binary with these features of its package.
    pub fn build_with(&self, program: Program, features: &str) -> Result<()> {
        self.cargo_build(program.package, &["--bin", program.bin, "--features", features])
    }

    fn cargo_build(&self, package: &str, targets: &[&str]) -> Result<()> {
        let target = self.directory.parent().and_then(Path::to_str).ok_or("the path is not UTF-8")?;
        let mut command =
            cargo(["build", "--quiet", "--target-dir", target, "--profile", self.profile, "--package", package]);
        if command.args(targets).status()?.success() {
            Ok(())
        } else {
            Err(format!("{package} does not compile").into())
        }
    }

    pub fn binary(&self, program: Program) -> PathBuf {
        self.directory.join(program.bin)
    }

    /// A directory for files of the measurement.
    pub fn scratch(&self) -> PathBuf {
        self.directory.join("measured")
    }
}

/// This workspace.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A crate in a dependency tree.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    /// The root of the tree.
    pub manifest: &'static str,
    pub root: &'static str,
}

/// The number of crates in a tree of normal dependencies, including its root.
pub fn crates(tree: Tree) -> Result<usize> {
    let manifest = folder().join(tree.manifest);
    let manifest = manifest.to_str().ok_or("the path is not UTF-8")?;
    let listed =
        output(cargo(["tree", "-e", "normal", "--prefix", "depth", "--no-dedupe", "--manifest-path", manifest]))?;
    let mut lines = listed.lines().map(|line| {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        (line.trim_end_matches(name).parse::<u32>().unwrap_or_default(), name)
    });
    let is_root = |name: &str| name.split(' ').next() == Some(tree.root);
    let (depth, _) = lines.find(|(_, name)| is_root(name)).ok_or("the crate is not in the tree")?;
    let below: BTreeSet<&str> = lines.take_while(|&(deeper, _)| deeper > depth).map(|(_, name)| name).collect();
    Ok(below.len() + 1)
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(folder());
    cargo
}

/// The output of a command.
pub fn output(mut command: Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
