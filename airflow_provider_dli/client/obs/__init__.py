"""OBS over its S3 interface: settings, look-ups, lists, reading, writing. The only place that imports boto3."""
