#define _GNU_SOURCE
#include "foreign_process.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int linux_pidfd_open(pid_t process) {
    long descriptor = syscall(SYS_pidfd_open, process, 0);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int linux_pidfd_send_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int linux_unix_connect_as(const char *path, uid_t user, gid_t group, int timeout_seconds) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    struct timeval limit = {.tv_sec = timeout_seconds};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int code = 0;
    if (geteuid() == user && getegid() == group) {
        if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) code = errno;
    } else {
        // The connection belongs to the socket, which both share; the credentials are the child's. Between fork and
        // _exit only calls that are safe in a signal handler.
        pid_t child = fork();
        if (child < 0) {
            code = errno;
        } else if (child == 0) {
            if (syscall(SYS_setresgid, -1, group, -1) < 0 || syscall(SYS_setresuid, -1, user, -1) < 0) _exit(errno);
            _exit(connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0);
        } else {
            int status;
            while (waitpid(child, &status, 0) < 0) {
                if (errno != EINTR) {
                    status = EIO << 8;
                    break;
                }
            }
            code = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
        }
    }
    if (code != 0) {
        close(descriptor);
        return -code;
    }
    return descriptor;
}

int linux_create_file_for(int directory, const char *name, uid_t user, gid_t group) {
    int descriptor = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) return -errno;
    int code = 0;
    if ((geteuid() != user || getegid() != group) && fchown(descriptor, user, group) < 0) code = -errno;
    close(descriptor);
    if (code < 0) unlinkat(directory, name, 0);
    return code;
}

int64_t linux_owner_of(int directory, const char *name, mode_t type) {
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    return (status.st_mode & S_IFMT) == type ? (int64_t)status.st_uid : -EINVAL;
}
