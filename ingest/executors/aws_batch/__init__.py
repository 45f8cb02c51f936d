"""Jobs on AWS Batch, with documents and results in S3; container_worker.py runs in the image."""
