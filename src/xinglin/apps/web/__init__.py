"""The built web pages and the Starlette application that serves them: ``site()``."""

from xinglin.apps.web.site import STATIC, site

__all__ = ["STATIC", "site"]
