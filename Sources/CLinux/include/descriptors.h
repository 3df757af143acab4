// Descriptors over Unix sockets (unix(7), SCM_RIGHTS): the control messages are made of macros that Swift can't see.
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// Sends what it can of `count` bytes, and the descriptor beside the first of them where it is not negative. Never
/// waits and never raises SIGPIPE. Number of bytes sent, or -1 with errno set.
ssize_t linux_send_with_descriptor(int socket, const void *bytes, size_t count, int descriptor);
/// Receives what is there of `count` bytes, and one descriptor where one comes with them (else -1). Further ones are
/// closed by the kernel. Never waits. Number of bytes, 0 at the end, or -1 with errno set.
ssize_t linux_receive_with_descriptor(int socket, void *bytes, size_t count, int *descriptor);
