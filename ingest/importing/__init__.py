"""What others recorded: reading databases of the original form, job lists and metric files."""
