#define _GNU_SOURCE
#include "fetch.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Numbers of curl/curl.h, which no release changes (libcurl's ABI policy).
enum {
    OPTION_LOW_SPEED_LIMIT = 19,
    OPTION_LOW_SPEED_TIME = 20,
    OPTION_NO_PROGRESS = 43,
    OPTION_FAIL_ON_ERROR = 45,
    OPTION_FOLLOW_LOCATION = 52,
    OPTION_MAXIMUM_REDIRECTIONS = 68,
    OPTION_NO_SIGNAL = 99,
    OPTION_TIMEOUT_MS = 155,
    OPTION_CONNECT_TIMEOUT_MS = 156,
    OPTION_PROTOCOLS = 181,
    OPTION_REDIRECTED_PROTOCOLS = 182,
    OPTION_WRITE_DATA = 10001,
    OPTION_URL = 10002,
    OPTION_USER_AGENT = 10018,
    OPTION_PROGRESS_DATA = 10057,
    OPTION_WRITE_FUNCTION = 20011,
    OPTION_PROGRESS_FUNCTION = 20219,
    INFO_RESPONSE_CODE = 0x200002,
    HTTP_AND_HTTPS = 3,
};

struct library {
    void *(*init)(void);
    int (*set)(void *handle, int option, ...);
    int (*perform)(void *handle);
    int (*info)(void *handle, int what, ...);
    const char *(*text)(int code);
};

static int load(struct library *library) {
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    for (unsigned index = 0; index < sizeof names / sizeof names[0]; index++) {
        void *handle = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
        if (!handle) continue;
        // POSIX has functions and data of one size here; C alone does not.
        *(void **)&library->init = dlsym(handle, "curl_easy_init");
        *(void **)&library->set = dlsym(handle, "curl_easy_setopt");
        *(void **)&library->perform = dlsym(handle, "curl_easy_perform");
        *(void **)&library->info = dlsym(handle, "curl_easy_getinfo");
        *(void **)&library->text = dlsym(handle, "curl_easy_strerror");
        if (library->init && library->set && library->perform && library->info && library->text) return 0;
    }
    return -1;
}

int linux_can_fetch(void) {
    struct library library;
    return load(&library) == 0;
}

struct target {
    int file;
    int64_t left;
    int is_too_large;
    int code;
};

static size_t take(char *bytes, size_t size, size_t count, void *context) {
    struct target *target = context;
    size_t total = size * count, done = 0;
    if ((uint64_t)total > (uint64_t)target->left) {
        target->is_too_large = 1;
        return 0;
    }
    target->left -= (int64_t)total;
    while (done < total) {
        ssize_t part = write(target->file, bytes + done, total - done);
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) {
            target->code = errno;
            return 0;
        }
        done += (size_t)part;
    }
    return total;
}

static int is_in_vain(void *context, int64_t total, int64_t now, int64_t to_send, int64_t sent) {
    (void)total, (void)now, (void)to_send, (void)sent;
    struct pollfd other = {.fd = *(int *)context, .events = 0};
    return poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR)) != 0;
}

int linux_fetch_file(struct linux_fetch *request) {
    struct library curl;
    request->status = 0;
    request->reason[0] = 0;
    if (load(&curl) != 0) return LINUX_FETCH_NO_LIBRARY;
    void *handle = curl.init();
    struct target target = {.file = request->file, .left = request->maximum_bytes};
    if (!handle) return LINUX_FETCH_NO_LIBRARY;
    int refused = 0;
    refused |= curl.set(handle, OPTION_PROTOCOLS, (long)HTTP_AND_HTTPS);
    refused |= curl.set(handle, OPTION_REDIRECTED_PROTOCOLS, (long)HTTP_AND_HTTPS);
    refused |= curl.set(handle, OPTION_URL, request->url);
    refused |= curl.set(handle, OPTION_WRITE_FUNCTION, take);
    refused |= curl.set(handle, OPTION_WRITE_DATA, &target);
    refused |= curl.set(handle, OPTION_PROGRESS_FUNCTION, is_in_vain);
    refused |= curl.set(handle, OPTION_PROGRESS_DATA, &request->waiting);
    refused |= curl.set(handle, OPTION_NO_PROGRESS, 0L);
    refused |= curl.set(handle, OPTION_NO_SIGNAL, 1L);
    refused |= curl.set(handle, OPTION_FAIL_ON_ERROR, 1L);
    refused |= curl.set(handle, OPTION_FOLLOW_LOCATION, 1L);
    refused |= curl.set(handle, OPTION_MAXIMUM_REDIRECTIONS, 5L);
    refused |= curl.set(handle, OPTION_CONNECT_TIMEOUT_MS, request->connect_milliseconds);
    refused |= curl.set(handle, OPTION_TIMEOUT_MS, request->total_milliseconds);
    refused |= curl.set(handle, OPTION_LOW_SPEED_LIMIT, 1L);
    refused |= curl.set(handle, OPTION_LOW_SPEED_TIME, request->stall_seconds);
    refused |= curl.set(handle, OPTION_USER_AGENT, "perf-fleet");
    if (refused) return LINUX_FETCH_NO_LIBRARY;
    // The process ends after its one request, and everything of curl's with it.
    int code = curl.perform(handle);
    (void)curl.info(handle, INFO_RESPONSE_CODE, &request->status);
    if (target.is_too_large) return LINUX_FETCH_TOO_LARGE;
    if (code == 0 && request->status == 200) return LINUX_FETCH_DONE;
    if (target.code) {
        snprintf(request->reason, sizeof request->reason, "can't write: %s", strerror(target.code));
    } else if (request->status >= 300) {
        snprintf(request->reason, sizeof request->reason, "HTTP status %ld", request->status);
    } else {
        snprintf(request->reason, sizeof request->reason, "%s", code == 0 ? "no answer" : curl.text(code));
    }
    return LINUX_FETCH_FAILED;
}
