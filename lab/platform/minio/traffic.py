# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""Writes and reads objects in MinIO for ever, a few a second, so that its rates and sizes are not zero.

Requests are signed by hand: no S3 client is in the image. Signature:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime

HOST = "127.0.0.1:9000"
REGION = "us-east-1"
BUCKETS = ("warehouse", "metadata")

#: Names are used again, so that the volume does not fill up; sizes differ, so that the buckets still grow and shrink.
OBJECTS = 200


def headers(method: str, path: str, body: bytes, user: str, password: str, now: datetime) -> dict[str, str]:
    """Headers of a request, the signature among them."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    signed = "host;x-amz-content-sha256;x-amz-date"
    lines = [
        method,
        path,
        "",
        f"host:{HOST}",
        f"x-amz-content-sha256:{digest}",
        f"x-amz-date:{stamp}",
        "",
        signed,
        digest,
    ]
    canonical = "\n".join(lines)
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{password}".encode()
    for part in (day, REGION, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"Credential={user}/{scope}, SignedHeaders={signed}, Signature={key.hex()}"
    return {"x-amz-content-sha256": digest, "x-amz-date": stamp, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def request(method: str, path: str, body: bytes = b"") -> int:
    """Status of one request."""
    user, password = os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"]
    connection = http.client.HTTPConnection(HOST, timeout=10)
    try:
        connection.request(method, path, body, headers(method, path, body, user, password, datetime.now(UTC)))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def main() -> None:
    # Process 1 of a container gets no default handling of signals and would be killed after 30 s.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    known: set[str] = set()
    while True:
        bucket = random.choice(BUCKETS)  # noqa: S311 (nothing secret about any of this)
        path = f"/{bucket}/part-{random.randrange(OBJECTS):05}"  # noqa: S311
        try:
            if bucket not in known:
                # 409 where it is there already
                print(f"PUT /{bucket} {request('PUT', f'/{bucket}')}", flush=True)
                known.add(bucket)
            status = request("PUT", path, os.urandom(random.randrange(1000, 60000)))  # noqa: S311
            print(f"PUT {path} {status}", flush=True)
            for _ in range(3):
                request("GET", path)
        except OSError as error:
            print(f"MinIO does not answer: {error}", flush=True)
        time.sleep(3)


if __name__ == "__main__":
    main()
