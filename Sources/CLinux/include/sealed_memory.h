// Memory files whose content and size can be fixed for good (memfd_create(2), fcntl(2) F_ADD_SEALS).
#pragma once

/// A new, empty memory file that takes seals, closed on exec; -1 with errno set.
int linux_sealable_memfd(const char *name);
/// Forbids writing, growing, shrinking and further seals; 0, or -1 with errno set.
int linux_seal(int descriptor);
/// Whether all of that is forbidden; 0 also for what is no memory file.
int linux_is_sealed(int descriptor);
