// Meeting another process as one of its own user's: pidfd_open(2), pidfd_send_signal(2), connections and files under
// other credentials. Functions that fail return a negated errno.
#pragma once
#include <stdint.h>
#include <sys/types.h>

int linux_pidfd_open(pid_t process);
int linux_pidfd_send_signal(int pidfd, int signal);

// A connection to the socket at `path`, made by a child with the given effective IDs where ours are others, since the
// listener looks at who connected. Reading, writing and connecting end with EAGAIN after `timeout_seconds`.
int linux_unix_connect_as(const char *path, uid_t user, gid_t group, int timeout_seconds);

// A new file of mode 0600 in a directory, given to a user; no link is followed and nothing is replaced (EEXIST).
int linux_create_file_for(int directory, const char *name, uid_t user, gid_t group);

// The owner of what lies at `name`, which must be of the type given (S_IFSOCK, S_IFREG) and is not followed.
int64_t linux_owner_of(int directory, const char *name, mode_t type);
