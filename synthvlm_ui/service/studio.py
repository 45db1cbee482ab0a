"""Studio: everything the browser and the command line can do, one desk per room.

Opens a workspace and joins rooms; imports neither torch nor gradio. What takes long is queued as a job for a worker.
"""

from __future__ import annotations


