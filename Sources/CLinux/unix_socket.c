#define _GNU_SOURCE
#include "unix_socket.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

static void limit_waiting(int descriptor, int seconds) {
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

int linux_unix_listen(const char *path) {
    struct sockaddr_un address;
    int code = address_of(path, &address);
    if (code < 0) return code;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    unlink(path);
    // The directory is the daemon's own with mode 0700; before the first listen nobody can connect.
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0600) < 0
        || listen(descriptor, 8) < 0) {
        code = -errno;
        close(descriptor);
        return code;
    }
    return descriptor;
}

int linux_unix_connect(const char *path, int timeout_seconds) {
    struct sockaddr_un address;
    int code = address_of(path, &address);
    if (code < 0) return code;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    limit_waiting(descriptor, timeout_seconds);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
        code = -errno;
        close(descriptor);
        return code;
    }
    return descriptor;
}

int linux_unix_accept(int listener, int timeout_seconds) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    limit_waiting(descriptor, timeout_seconds);
    return descriptor;
}
