//! New migrations make the store compile again, since it carries them.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
