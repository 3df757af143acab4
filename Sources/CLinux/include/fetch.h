// One file over HTTP by libcurl, which is loaded when it is needed: the programs do without it, and most hosts have it.
#pragma once
#include <stdint.h>

enum {
    /// All bytes are in the file.
    LINUX_FETCH_DONE = 0,
    /// The server answered with another status than 200, or not to the end; `status` and `reason` say more.
    LINUX_FETCH_FAILED = 1,
    /// More than `maximum_bytes`.
    LINUX_FETCH_TOO_LARGE = 2,
    /// Neither libcurl.so.4 nor libcurl-gnutls.so.4 is there, or it lacks what is needed.
    LINUX_FETCH_NO_LIBRARY = 3,
};

struct linux_fetch {
    /// http or https; others are refused, after a redirection too.
    const char *url;
    /// Open for writing, empty.
    int file;
    int64_t maximum_bytes;
    long connect_milliseconds;
    /// Without a byte for so long, it is given up.
    long stall_seconds;
    long total_milliseconds;
    /// A socket: when its other end closes, nobody waits any more. Looked at about once a second.
    int waiting;
    /// Of HTTP; 0 where none came.
    long status;
    /// Of a failure; ends with a zero.
    char reason[256];
};

/// A result from above.
int linux_fetch_file(struct linux_fetch *request);
/// Whether `linux_fetch_file` finds its library. Loads it into this process.
int linux_can_fetch(void);
