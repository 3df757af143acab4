// Stream sockets with a name in the file system.
#pragma once

// A listening socket of mode 0600 that replaces what lay at `path`; its descriptor or -errno.
int linux_unix_listen(const char *path);

// A connection, or -errno. Reading and writing end with EAGAIN after `timeout_seconds` without progress.
int linux_unix_connect(const char *path, int timeout_seconds);

// The next connection, with the same timeout, or -errno.
int linux_unix_accept(int listener, int timeout_seconds);
