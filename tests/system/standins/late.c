/* Loaded before the C library: this process sees a folder as a client of NFS does whose view is up to LATE_SECONDS old.

   Under LATE_UNDER, new files of other processes are not there yet, replaced files have their old content, and to open a
   removed file fails (ESTALE). A change of its own lets the process look again. The first view is the folder LATE_FIRST,
   if it is set. Views are trees of hard links beside the folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double taken = -1;
static int busy, first = 1;

static double now(void) {
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    return clock.tv_sec + clock.tv_nsec * 1e-9;
}

static const char *under(const char *path) {
    const char *root = getenv("LATE_UNDER");
    size_t length = root ? strlen(root) : 0;
    return root && !busy && path && !strncmp(path, root, length) && (path[length] == '/' || !path[length]) ? path + length : NULL;
}

/* The path in the view of this process; the path itself outside of the folder. */
static const char *seen(const char *path, char *buffer) {
    const char *rest = under(path);
    if (!rest) return path;
    const char *root = getenv("LATE_UNDER"), *patience = getenv("LATE_SECONDS");
    pthread_mutex_lock(&lock);
    if (taken < 0 || now() - taken > (patience ? atof(patience) : 2)) {
        const char *source = first && getenv("LATE_FIRST") ? getenv("LATE_FIRST") : root;
        snprintf(buffer, PATH_MAX, "unset LD_PRELOAD; rm -rf '%s.view-%d'; cp -al '%s' '%s.view-%d' 2>/dev/null", root, getpid(), source, root, getpid());
        first = 0;
        busy = 1;
        if (system(buffer)) { /* a file can disappear while it is copied */ }
        busy = 0;
        taken = now();
    }
    pthread_mutex_unlock(&lock);
    snprintf(buffer, PATH_MAX, "%s.view-%d%s", root, getpid(), rest);
    return buffer;
}

static void changed(const char *path) { if (under(path)) taken = -1; }

static int opened(const char *name, int folder, const char *path, int flags, mode_t mode) {
    int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, name);
    char buffer[PATH_MAX];
    if (flags & (O_CREAT | O_WRONLY | O_RDWR)) { changed(path); return real(folder, path, flags, mode); }
    const char *place = seen(path, buffer);
    int file = real(folder, place, flags, mode);
    if (file >= 0 && place != path && faccessat(folder, path, F_OK, 0)) { close(file); errno = ESTALE; return -1; }
    return file;
}
#define MODE mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE return opened("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened("openat64", AT_FDCWD, path, flags, mode); }

DIR *opendir(const char *path) { REAL(DIR *, "opendir", const char *); char buffer[PATH_MAX]; return real(seen(path, buffer)); }
int stat(const char *path, struct stat *found) { REAL(int, "stat", const char *, struct stat *); char buffer[PATH_MAX]; return real(seen(path, buffer), found); }
int stat64(const char *path, struct stat64 *found) { REAL(int, "stat64", const char *, struct stat64 *); char buffer[PATH_MAX]; return real(seen(path, buffer), found); }
int fstatat(int folder, const char *path, struct stat *found, int flags) { REAL(int, "fstatat", int, const char *, struct stat *, int); char buffer[PATH_MAX]; return real(folder, seen(path, buffer), found, flags); }
int fstatat64(int folder, const char *path, struct stat64 *found, int flags) { REAL(int, "fstatat64", int, const char *, struct stat64 *, int); char buffer[PATH_MAX]; return real(folder, seen(path, buffer), found, flags); }

int rename(const char *from, const char *to) { REAL(int, "rename", const char *, const char *); changed(to); return real(from, to); }
int unlink(const char *path) { REAL(int, "unlink", const char *); changed(path); return real(path); }
int mkdir(const char *path, mode_t mode) { REAL(int, "mkdir", const char *, mode_t); changed(path); return real(path, mode); }
