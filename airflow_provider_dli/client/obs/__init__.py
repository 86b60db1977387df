"""OBS over its S3 interface: settings, looking up, reading. The only place that imports boto3."""
