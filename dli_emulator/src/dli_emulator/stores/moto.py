"""moto's server as the store, where SeaweedFS is not to be had."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from importlib.util import find_spec

from dli_emulator.child import Child, free_ports
from dli_emulator.obs import SIGNING_REGION
from dli_emulator.stores.base import HOST, QUICK, ChildStore

#: IAM calls that make a user, after which moto checks each signature
_OPEN_CALLS = 3
_ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Moto(ChildStore):
    """moto's server. It checks signatures, since it is given a user of its own and then told to."""

    name = "moto"
    #: its users are those of one partition, and a region such as cn-north-4 is of another
    any_region = False
    probe = "/moto-api/data.json"  # is none of the open calls

    @staticmethod
    def is_installed() -> bool:
        """Tell whether it and what its server needs are installed."""
        return all(find_spec(module) for module in ("moto", "flask", "flask_cors"))

    def _launch(self, child: Child) -> int:
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        child.start(command, {"INITIAL_NO_AUTH_ACTION_COUNT": str(_OPEN_CALLS)})
        return port

    def _prepare(self) -> None:
        from boto3.session import Session  # noqa: PLC0415 - takes long: the store starts meanwhile
        from botocore.config import Config  # noqa: PLC0415 - likewise

        session = Session("any", "any", region_name=SIGNING_REGION)
        with closing(session.client("iam", endpoint_url=self.endpoint, config=Config(**QUICK))) as iam:
            iam.create_user(UserName="emulator")
            iam.put_user_policy(UserName="emulator", PolicyName="all", PolicyDocument=json.dumps(_ALLOW_ALL))
            made = iam.create_access_key(UserName="emulator")["AccessKey"]
        self.access_key, self.secret_key = made["AccessKeyId"], made["SecretAccessKey"]
