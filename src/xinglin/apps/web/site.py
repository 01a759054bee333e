"""Serve the built pages.

Mount it last, at ``/``: whatever no other route took is either a built file or one of the page's own
addresses (``/patients/…``), for which index.html is given and the page finds its way. ``/fhir`` and
``/health`` never get here.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send

STATIC = Path(__file__).parent / "static"

# Everything comes from this server: no script, style, font, picture or connection from elsewhere. Inline
# styles are allowed because the component library sets sizes as style attributes; inline scripts are not.
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Vite names what lies here by its content, so it can be kept for ever; the page is asked for each time.
FOR_EVER = "public, max-age=31536000, immutable"

NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Xinglin</title>
<p>The web pages are not built. Run <code>python hatch_build.py</code> in the source folder, then reload.
The record itself is at <a href="/fhir/metadata">/fhir</a>.</p>
<p lang="zh">网页尚未生成。请在源码目录运行 <code>python hatch_build.py</code>，然后刷新本页。病历接口在
<a href="/fhir/metadata">/fhir</a>。</p>"""


class Site:
    """An ASGI application over one folder of built pages."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = self.answer(Request(scope))
        await response(scope, receive, send)

    def answer(self, request: Request) -> Response:
        """A built file, the page, or 404 for a missing asset (never the page in its place)."""
        if request.method not in ("GET", "HEAD"):
            return Response("Method not allowed", 405, {"Allow": "GET, HEAD", **SECURITY})
        path = request.url.path.lstrip("/")
        wanted = (self.folder / path).resolve()
        if path and wanted.is_relative_to(self.folder) and wanted.is_file():
            kept = FOR_EVER if path.startswith("assets/") else "no-cache"
            kind = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
            return FileResponse(wanted, media_type=kind, headers={"Cache-Control": kept, **SECURITY})
        if path.startswith("assets/"):
            return Response("Not found", 404, headers=SECURITY)
        page = self.folder / "index.html"
        if not page.is_file():
            return HTMLResponse(NOT_BUILT, 503, {"Cache-Control": "no-store", **SECURITY})
        return FileResponse(page, media_type="text/html", headers={"Cache-Control": "no-cache", **SECURITY})


def site() -> Site:
    """The pages that came with this installation."""
    return Site()
