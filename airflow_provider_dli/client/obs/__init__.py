"""OBS over its S3 interface. The only place that imports boto3."""
