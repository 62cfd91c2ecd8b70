//! Builds the functions under test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::programs::Program;

/// Where everything is built. The functions land beside this program, which is built by the same profile.
pub struct Builds {
    profile: &'static str,
    directory: PathBuf,
}

impl Builds {
    pub fn beside_this_program() -> Result<Self> {
        let this = std::env::current_exe()?;
        let profile = this.parent().ok_or("this program lies in no directory")?;
        if profile.file_name().is_none_or(|name| name != "release") {
            return Err("build this program with --release: so are the functions".into());
        }
        Ok(Self { profile: "release", directory: profile.to_owned() })
    }

    /// The same code, with the names of functions.
    pub fn with_symbols() -> Result<Self> {
        let profile = "profiling";
        Ok(Self { profile, directory: Self::beside_this_program()?.directory.with_file_name(profile) })
    }

    /// Builds all binaries of a package, apart from every other package, so that it gets the features that it asks for
    /// and no others.
    pub fn build(&self, package: &str) -> Result<()> {
        self.cargo_build(package, &["--bins"])
    }

    /// Builds one binary.
    pub fn build_only(&self, program: Program) -> Result<()> {
        self.cargo_build(program.package, &["--bin", program.bin])
    }

    fn cargo_build(&self, package: &str, targets: &[&str]) -> Result<()> {
        let target = self.directory.parent().and_then(Path::to_str).ok_or("a path that is no text")?;
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

    /// A directory for what the measuring leaves behind.
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
    /// Of the package whose tree it is.
    pub manifest: &'static str,
    pub root: &'static str,
}

/// How many crates are compiled into a function for the root of a tree, itself included: its normal dependencies.
pub fn crates(tree: Tree) -> Result<usize> {
    let manifest = folder().join(tree.manifest);
    let manifest = manifest.to_str().ok_or("a path that is no text")?;
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

/// What a command prints.
pub fn output(mut command: Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
