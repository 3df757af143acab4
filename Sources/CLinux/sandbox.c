#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_rseq
#define __NR_rseq 334
#endif

int linux_drop_bounding_set(void) {
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM && errno != EINVAL) return -1;
    }
    return 0;
}

int linux_clear_capabilities(void) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return -1;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, none);
}

int linux_set_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int linux_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int linux_leave_network(void) {
    if (unshare(CLONE_NEWNET) == 0) return 0;
    return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

int linux_become_user(uint32_t identifier) {
    if (setgroups(0, NULL) != 0) return errno == EPERM || errno == EINVAL ? 0 : -1;
    if (setresgid(identifier, identifier, identifier) != 0) return errno == EPERM || errno == EINVAL ? 0 : -1;
    if (setresuid(identifier, identifier, identifier) != 0) return errno == EPERM || errno == EINVAL ? 0 : -1;
    return 0;
}

int linux_close_from(int first) { return (int)syscall(SYS_close_range, first, ~0U, 0); }

int linux_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = 0, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int linux_memfd(const char *name) { return (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC); }

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// Offsets of the low halves of arguments in what the filter sees; both architectures are little-endian.
#define ARGUMENT(index) (offsetof(struct seccomp_data, args) + 8 * (index))
#define ARGUMENT_HIGH(index) (ARGUMENT(index) + 4)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES)
// The accumulator holds the call's number before and after.
#define ALLOW_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), ALLOW

int linux_limit_system_calls(void) {
#ifndef OWN_ARCHITECTURE
    errno = ENOSYS;
    return -1;
#else
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
        KILL,
        LOAD(offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
        // The x32 calls share the architecture and have bit 30 set.
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        KILL,
#endif
        // Reading what was handed over, and answering.
        ALLOW_CALL(pread64),
        ALLOW_CALL(read),
        ALLOW_CALL(recvmsg),
        ALLOW_CALL(sendmsg),
        ALLOW_CALL(sendto),
        ALLOW_CALL(write),
        ALLOW_CALL(close),
        ALLOW_CALL(fstat),
        ALLOW_CALL(lseek),
        ALLOW_CALL(ppoll),
#if defined(__x86_64__)
        ALLOW_CALL(poll),
#endif
        // Memory files for the answer: made, filled, sealed.
        ALLOW_CALL(memfd_create),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 4),
        LOAD(ARGUMENT(1)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_ADD_SEALS, 0, 1),
        ALLOW,
        KILL,
        // libdw asks for the path of every file that it is given, of those in memory too, and does without.
#if defined(__x86_64__)
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_readlink, 0, 1),
        REFUSE,
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_readlinkat, 0, 1),
        REFUSE,
        // Memory.
        ALLOW_CALL(munmap),
        ALLOW_CALL(mremap),
        ALLOW_CALL(brk),
        ALLOW_CALL(madvise),
        // The C and Swift runtimes.
        ALLOW_CALL(futex),
        ALLOW_CALL(rt_sigreturn),
        ALLOW_CALL(rt_sigprocmask),
        ALLOW_CALL(rt_sigaction),
        ALLOW_CALL(sigaltstack),
        ALLOW_CALL(clock_gettime),
        ALLOW_CALL(getrandom),
        // qsort() of glibc 2.36 asks how much memory the machine has.
        ALLOW_CALL(sysinfo),
        ALLOW_CALL(getpid),
        ALLOW_CALL(gettid),
        ALLOW_CALL(sched_yield),
        ALLOW_CALL(set_robust_list),
        ALLOW_CALL(rseq),
        ALLOW_CALL(restart_syscall),
        ALLOW_CALL(exit),
        ALLOW_CALL(exit_group),
        // abort(): a signal to this process alone.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 0, 4),
        LOAD(ARGUMENT(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 0, 1),
        ALLOW,
        KILL,
        // fstat() of newer C libraries: the status of an open descriptor, not of a path.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_newfstatat, 0, 4),
        LOAD(ARGUMENT(3)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AT_EMPTY_PATH, 0, 1),
        ALLOW,
        KILL,
        // Memory never becomes code.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 3),
        LOAD(ARGUMENT(2)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
        ALLOW,
        KILL,
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
#endif
}

#define REFUSE_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), REFUSE
// Opening for writing, or with what makes files: the flags are argument `index`.
#define REFUSE_WRITING(name, index)                                                                  \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD(ARGUMENT(index)),                   \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0, 1), REFUSE, ALLOW

int linux_limit_to_network(void) {
#ifndef OWN_ARCHITECTURE
    errno = ENOSYS;
    return -1;
#else
    // Resolvers and TLS libraries load plug-ins, read settings and start threads as they like; so here stands what they
    // have no business with, and not what they need.
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
        KILL,
        LOAD(offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        KILL,
        REFUSE_WRITING(open, 1),
        REFUSE_CALL(creat),
        REFUSE_CALL(unlink),
        REFUSE_CALL(rename),
        REFUSE_CALL(mkdir),
        REFUSE_CALL(rmdir),
        REFUSE_CALL(link),
        REFUSE_CALL(symlink),
        REFUSE_CALL(mknod),
        REFUSE_CALL(chmod),
        REFUSE_CALL(chown),
        REFUSE_CALL(lchown),
#endif
        REFUSE_WRITING(openat, 2),
        REFUSE_CALL(openat2),
        REFUSE_CALL(unlinkat),
        REFUSE_CALL(renameat),
        REFUSE_CALL(renameat2),
        REFUSE_CALL(mkdirat),
        REFUSE_CALL(linkat),
        REFUSE_CALL(symlinkat),
        REFUSE_CALL(mknodat),
        REFUSE_CALL(fchmodat),
        REFUSE_CALL(fchownat),
        REFUSE_CALL(truncate),
        // Other programs and other processes.
        REFUSE_CALL(execve),
        REFUSE_CALL(execveat),
        REFUSE_CALL(ptrace),
        REFUSE_CALL(process_vm_readv),
        REFUSE_CALL(process_vm_writev),
        REFUSE_CALL(kill),
        REFUSE_CALL(tkill),
        REFUSE_CALL(pidfd_open),
        REFUSE_CALL(pidfd_getfd),
        REFUSE_CALL(pidfd_send_signal),
        // The kernel's wider surface.
        REFUSE_CALL(unshare),
        REFUSE_CALL(setns),
        REFUSE_CALL(mount),
        REFUSE_CALL(umount2),
        REFUSE_CALL(chroot),
        REFUSE_CALL(pivot_root),
        REFUSE_CALL(bpf),
        REFUSE_CALL(perf_event_open),
        REFUSE_CALL(userfaultfd),
        REFUSE_CALL(io_uring_setup),
        REFUSE_CALL(add_key),
        REFUSE_CALL(request_key),
        REFUSE_CALL(keyctl),
        REFUSE_CALL(listen),
        REFUSE_CALL(rt_sigqueueinfo),
        REFUSE_CALL(rt_tgsigqueueinfo),
        REFUSE_CALL(setxattr),
        REFUSE_CALL(lsetxattr),
        REFUSE_CALL(removexattr),
        REFUSE_CALL(utimensat),
        // fchmodat2, which older headers lack.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 452, 0, 1), REFUSE,
        // abort(): a signal to this process alone.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 0, 4), LOAD(ARGUMENT(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 0, 1), ALLOW, REFUSE,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prlimit64, 0, 4), LOAD(ARGUMENT(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), ALLOW, REFUSE,
        // Threads, but no namespaces. The flags of clone3 lie in memory: without it the C library takes clone.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4), LOAD(ARGUMENT(0)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
            CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, 0, 1),
        REFUSE, ALLOW,
        ALLOW,
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
#endif
}
