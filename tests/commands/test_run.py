from tests.conftest import Ingest, StudyFolder


def test_run_stores_every_combination(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run")
    assert result.exit_code == 0
    assert "Run 1 finished" in result.stdout
    assert "8 succeeded, 0 failed" in result.stdout
