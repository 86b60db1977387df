"""OBS over its S3 interface: settings, looking objects up, reading them. The only place that imports boto3."""
