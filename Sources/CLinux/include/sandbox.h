// Giving up rights (capabilities(7), seccomp(2)), and opening files by openat2(2): calls with variable arguments, or
// without a wrapper, that Swift can't make. All return 0 (or a descriptor), or -1 with errno set.
#pragma once
#include <stdint.h>

/// Empties the bounding set as far as that is allowed: it needs CAP_SETPCAP, without which no_new_privs does the same
/// service.
int linux_drop_bounding_set(void);
/// Empties the effective, permitted, inheritable and ambient sets.
int linux_clear_capabilities(void);
/// No later exec can give rights back.
int linux_set_no_new_privileges(void);
/// The process can't be traced by others of its user, and dumps no core.
int linux_set_undumpable(void);
/// Puts the process into a network namespace of its own, by a user namespace where it must.
int linux_leave_network(void);
/// Becomes the user and group `identifier` without supplementary groups; does nothing without the right
/// to, or where the user namespace has no such user.
int linux_become_user(uint32_t identifier);
/// Kills the process at every system call but those that a reader of open descriptors needs. Irrevocable.
int linux_limit_system_calls(void);
/// Refuses this process and its threads to write files, to start programs and to touch other processes; it may connect
/// and read what its user may. Irrevocable.
int linux_limit_to_network(void);
/// Closes every descriptor from `first` on.
int linux_close_from(int first);
/// openat2(2).
int linux_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve);

enum {
    LINUX_RESOLVE_NO_MAGICLINKS = 0x02,
    LINUX_RESOLVE_IN_ROOT = 0x10,
    LINUX_O_PATH = 010000000,
    /// With O_DIRECTORY it is O_TMPFILE.
    LINUX_O_TMPFILE = 020000000,
};

/// memfd_create(2), closed on exec.
int linux_memfd(const char *name);
