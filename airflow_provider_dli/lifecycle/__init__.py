"""Run, stop, save and delete Flink jobs: nothing twice, nothing in silence, and wait for what comes of it."""
