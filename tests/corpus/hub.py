"""A hub on this machine: what `datasets` asks of Hugging Face's, for one data set of parquet."""

from __future__ import annotations

import hashlib
import io
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pyarrow as pa
from pyarrow import parquet


class Hub:
    """own/set, which has the split train, and own/gated, whose files nobody gets. `commit` is its
    newest; `asked` are the paths of all requests."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        file = io.BytesIO()
        parquet.write_table(pa.table(columns), file, row_group_size=50)
        self.files = {"data/train-00000-of-00001.parquet": file.getvalue()}
        self.commit, self.asked = "a" * 40, []
        hub = self

        class Handler(Answer):
            of = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Answer(BaseHTTPRequestHandler):
    of: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.of.asked.append(path)
        if re.fullmatch(r"/api/datasets/own/(set|gated)(/revision/\w+)?", path):
            files = [{"rfilename": name} for name in self.of.files]
            self.tell({"id": path.split("/")[4], "sha": self.of.commit, "siblings": files})
        elif path.startswith("/datasets/own/gated"):
            self.answer(403, b"", X_Error_Code="GatedRepo", X_Error_Message="it is gated")
        elif match := re.fullmatch(r"/api/datasets/own/\w+/tree/\w+/?(.*)", path):
            sizes = {name: len(data) for name, data in self.of.files.items()}
            names = sizes if match[1] else {"data": 0}
            kinds = "file" if match[1] else "directory"
            entries = [{"type": kinds, "path": name, "size": names[name]} for name in names]
            self.tell([{**entry, "oid": "0" * 40} for entry in entries])
        elif match := re.fullmatch(r"/datasets/own/set/resolve/\w+/(.*)", path):
            self.file(self.of.files.get(match[1]))
        else:
            self.answer(404, b"", X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def file(self, data: bytes | None) -> None:
        if data is None:
            return self.answer(404, b"", X_Error_Code="EntryNotFound")
        facts = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X_Repo_Commit": self.of.commit}
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if part is None:
            return self.answer(200, data, **facts)
        begin, end = int(part[1]), min(int(part[2]), len(data) - 1)
        facts["Content_Range"] = f"bytes {begin}-{end}/{len(data)}"
        return self.answer(206, data[begin : end + 1], **facts)

    def tell(self, value: Any) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
