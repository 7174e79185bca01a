"""What operating systems do each in their own way: files, names, links, places. One interface, a module for each.

Nothing else of the product asks which system it runs on for the sake of a file. What a system has no safe way for,
the constants say, and the caller refuses it in a sentence.

Both modules have, with these names and shapes:

- `open_to_read(path, *, follow=True) -> int`: a descriptor for the bytes as they are. It never waits, for a named pipe
  neither; the caller asks of the descriptor whether it is a regular file. Without `follow`, a link in the last place
  is an OSError with ELOOP.
- `open_new(path, mode) -> int`: a descriptor to write to a file that was not there; FileExistsError when it was, or a
  link was. With a `mode` that gives nothing to others, nobody else of the machine's users can open it.
- `open_to_append(path) -> int`: a descriptor for bytes at the end of a file, which is made when there is none.
- `give_name(temporary, path, *, overwrite)`: give a file its name, whole and at once; without `overwrite` it is a
  FileExistsError when somebody has it. A link at `path` is replaced or refused, never followed.
- `sync_directory(directory)`: put the names in it on the disk, where the system can do that.
- `lock_alone(descriptor)`: hold a lock until it is closed; BlockingIOError when another process has it.
- `is_link(entry)`: whether what is there only leads to something else.
- `is_private(directory)`: whether it is a directory that other users are kept out of, as far as the system tells.
- `names_fault(names)`, `path_fault(front, path)`: why one of the names, or a path below `front`, would stand for
  something else here than for a reader of the link, or None.
- `place_fault(path)`: why nothing is opened there, whoever asks: a device, another machine. None when it may be.
- `slashed(word)`: a path as names of artifacts are written.
- `home(environ)`, `cache(environ)`: the directory of the user, and that of the user's caches; None without one.
- `user_id()`: the number of the user, or None.
- `write_plainly(stream)`: have a text stream write UTF-8 and bare line feeds.
- `FOLLOWS_LINKS`: whether what links lead to is recorded. `RUNS_PROGRAMS`: whether other programs can be asked, and
  ended with all that they started. `MODE_SAYS_WHO_READS`: whether a file's mode tells who may read it. `fork`:
  os.fork, or None.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from intoto_action.system.windows import (
        FOLLOWS_LINKS,
        MODE_SAYS_WHO_READS,
        RUNS_PROGRAMS,
        cache,
        fork,
        give_name,
        home,
        is_link,
        is_private,
        lock_alone,
        names_fault,
        open_new,
        open_to_append,
        open_to_read,
        path_fault,
        place_fault,
        slashed,
        sync_directory,
        user_id,
        write_plainly,
    )
else:
    from intoto_action.system.posix import (
        FOLLOWS_LINKS,
        MODE_SAYS_WHO_READS,
        RUNS_PROGRAMS,
        cache,
        fork,
        give_name,
        home,
        is_link,
        is_private,
        lock_alone,
        names_fault,
        open_new,
        open_to_append,
        open_to_read,
        path_fault,
        place_fault,
        slashed,
        sync_directory,
        user_id,
        write_plainly,
    )

__all__ = [
    "FOLLOWS_LINKS",
    "MODE_SAYS_WHO_READS",
    "RUNS_PROGRAMS",
    "cache",
    "fork",
    "give_name",
    "home",
    "is_link",
    "is_private",
    "lock_alone",
    "names_fault",
    "open_new",
    "open_to_append",
    "open_to_read",
    "path_fault",
    "place_fault",
    "slashed",
    "sync_directory",
    "user_id",
    "write_plainly",
]
