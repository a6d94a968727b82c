//! `larder completions`: scripts for shells.

use crate::commands::larder;
use crate::runs::errors;

#[test]
fn shells_are_told_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (_dir, mut command) = larder(None, &["completions", shell]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["doctor", "budget", "simulate"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
