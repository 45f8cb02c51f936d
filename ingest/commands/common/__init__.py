"""What commands share: options that choose a study, progress, Ctrl-C, wording."""
