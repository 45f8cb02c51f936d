"""From a job's raw answer to a validated result set."""
