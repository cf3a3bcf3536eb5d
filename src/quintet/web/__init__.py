"""The HTTP front of a community: the UserInfo servlet, photos, the API, pages, metrics.

`quintet.web.serving` starts it; it is imported only where it is started, since its libraries take a while.
"""

from quintet.web.errors import PortError

__all__ = ["PortError"]
