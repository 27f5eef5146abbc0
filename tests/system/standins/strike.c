/* Loaded before the C library: sends a signal to its own process at an exact file operation, and logs all of them.

   strike("rename", "*.npz", "before", 2, SIGKILL) acts at the second rename to a path that the pattern matches.
   A write can also be hit halfway. STRIKE_LOG names a file with one line for each operation below STRIKE_UNDER. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
enum moment { NEVER, BEFORE, HALF, AFTER };

static struct { char operation[32], pattern[PATH_MAX]; int countdown, number; enum moment moment; } target;

void strike(const char *operation, const char *pattern, const char *moment, int nth, int number) {
    snprintf(target.operation, sizeof target.operation, "%s", operation);
    snprintf(target.pattern, sizeof target.pattern, "%s", pattern);
    target.number = number;
    target.moment = *moment == 'b' ? BEFORE : *moment == 'h' ? HALF : AFTER;
    __atomic_store_n(&target.countdown, nth, __ATOMIC_SEQ_CST);
}

static void note(const char *operation, const char *path) {
    const char *log = getenv("STRIKE_LOG"), *under = getenv("STRIKE_UNDER");
    if (!log || (under && *path == '/' && strncmp(path, under, strlen(under)))) return;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", operation, path);
    int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0) { syscall(SYS_write, file, line, length); syscall(SYS_close, file); }
}

static void hit(void) {
    note("struck", target.pattern);
    kill(getpid(), target.number);
    while (target.number == SIGKILL) pause();
}

/* The moment at which this operation is to be hit; it is noted in the log. */
static enum moment aimed(const char *operation, const char *path) {
    enum moment moment = NEVER;
    if (target.countdown > 0 && !strcmp(operation, target.operation) && !fnmatch(target.pattern, path, 0)
        && __atomic_sub_fetch(&target.countdown, 1, __ATOMIC_SEQ_CST) == 0) moment = target.moment;
    if (strcmp(operation, "sendmsg")) note(operation, path);
    if (moment == BEFORE) hit();
    return moment;
}

void mark(const char *name) { if (aimed("mark", name) != NEVER && target.moment != BEFORE) hit(); }

static const char *whole(int folder, const char *path, char *buffer) {
    if (*path == '/') return path;
    char link[64], place[PATH_MAX];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, place, sizeof place - 1);
    place[length < 0 ? 0 : length] = 0;
    snprintf(buffer, PATH_MAX, "%.2000s/%.2000s", place, path);
    return buffer;
}

static const char *name_of(int file, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    buffer[length < 0 ? 0 : length] = 0;
    return buffer;
}

#define AROUND(operation, path, call) \
    enum moment moment = aimed(operation, path); int result = (call); if (moment > BEFORE) hit(); return result

static int opened(const char *function, int folder, const char *path, int flags, mode_t mode) {
    int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, function);
    if (!(flags & O_CREAT)) return real(folder, path, flags, mode);
    char buffer[PATH_MAX];
    AROUND("create", whole(folder, path, buffer), real(folder, path, flags, mode));
}
#define MODE mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE return opened("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened("openat64", AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return opened("openat", folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return opened("openat64", folder, path, flags, mode); }

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char buffer[PATH_MAX];
    if (file <= 2) return real(file, bytes, count);
    enum moment moment = aimed("write", name_of(file, buffer));
    if (moment == HALF) { real(file, bytes, count / 2); hit(); }
    ssize_t result = real(file, bytes, count);
    if (moment == AFTER) hit();
    return result;
}

int fsync(int file) {
    REAL(int, "fsync", int);
    char buffer[PATH_MAX];
    AROUND("fsync", name_of(file, buffer), real(file));
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    char buffer[PATH_MAX];
    AROUND("rename", whole(AT_FDCWD, to, buffer), real(from, to));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    char buffer[PATH_MAX];
    AROUND("unlink", whole(AT_FDCWD, path, buffer), real(path));
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    char buffer[PATH_MAX];
    AROUND("unlink", whole(folder, path, buffer), real(folder, path, flags));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    char buffer[PATH_MAX];
    AROUND("mkdir", whole(AT_FDCWD, path, buffer), real(path, mode));
}

int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    char buffer[PATH_MAX];
    AROUND("rmdir", whole(AT_FDCWD, path, buffer), real(path));
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
    enum moment moment = aimed("sendmsg", "");
    ssize_t result = real(socket, message, flags);
    if (moment > BEFORE) hit();
    return result;
}
